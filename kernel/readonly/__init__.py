"""The mechanism `readonly`: nothing can be changed. Every other control reads by the same base."""
