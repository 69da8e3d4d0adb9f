"""Where bone is: implicit solids with landmarks, named regions and corridors."""
