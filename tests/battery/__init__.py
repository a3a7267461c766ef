"""What this kernel can do, feature by feature, on real paths: `python -m tests.battery FILE`.

`make test-kernels` runs it on distributions' kernels and makes docs/compatibility.md of what it
finds; the tests run it on the kernel that is here. Each feature has one of three words: it works;
it doesn't, and the program says so with a hint; or something is wrong, which is a fault.
"""
