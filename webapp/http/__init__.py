"""How the production server reads requests and gives them threads: gunicorn, with its threads in another order."""
