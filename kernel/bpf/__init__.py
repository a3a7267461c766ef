"""The iterator over TCP sockets that sets or gets an option on one of them: object and loader."""
