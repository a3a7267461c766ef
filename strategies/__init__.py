"""The decisions: pure, without a socket, a clock, a thread or a log."""

if __name__ == "strategies":  # the folder's bare name would give every class a second identity
    raise ImportError("import mphttp.strategies, not strategies")
