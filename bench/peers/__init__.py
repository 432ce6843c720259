"""The site beside other log-in software, measured by turns on the same machine. README.md explains it."""
