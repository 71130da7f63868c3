"""A folder that is watched: finished films are taken, scored, and remembered.

Not named after its verb: ``scorebed.watch`` is the function.
"""
