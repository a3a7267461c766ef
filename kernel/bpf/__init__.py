"""Options of one subflow, on stock Linux: a BPF iterator over TCP sockets, its loader, its use."""
