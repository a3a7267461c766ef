"""One connected socket: the six calls on it, and the stream of what happens to it."""
