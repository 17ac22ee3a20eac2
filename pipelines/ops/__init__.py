"""Operations on a whole system.

Look whether it is well, back it up, restore it, take away what nobody needs.
"""
