"""The mechanism `sockopt`: the paper's socket options, where the kernel has them (kernel/linux)."""
