"""Memory, threads, signals, compilation, progress, arrays and files: what every room stands on."""
