"""What `mphttp connect` and `mphttp proxy` share: how connections go out, where clients come in."""
