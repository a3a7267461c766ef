"""The mechanism `broker`: what the broker is asked and answers, and the client that asks it.

The broker itself is `mphttp.broker`.
"""
