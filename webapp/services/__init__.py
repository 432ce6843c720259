"""What users, the operator and the worker do, one action a file; files of one subject share a folder.

Must not import Flask.
"""
