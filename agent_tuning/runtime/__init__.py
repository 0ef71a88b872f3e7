"""What every command shares: command line, parameters, progress, CPU, and hashes of code."""
