"""Which paths cost money, and which are preferred: a file's word, and NetworkManager's."""
