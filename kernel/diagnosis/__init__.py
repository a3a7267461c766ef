"""What a machine can do for subflows: `machine` looks, and `findings` says what mends the rest."""
