"""What the product can do on this machine, beside what it must: `python3 run.py bench`."""
