"""What every command needs: command line, config, progress, CPU, hashes of inputs and code."""
