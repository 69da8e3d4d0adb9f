"""K u = f: materials, loads, supports, stiffness, gap law, solver and measures."""
