"""The mechanism `netlink`: the kernel's own path manager, by the generic netlink family `mptcp_pm`.

Its tables and its codec of commands and events are pure; control and mechanism use them.
"""
