"""Operations on a whole system: look whether it is well, back it up, restore it, take away what nobody needs."""
