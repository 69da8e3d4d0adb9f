"""What the stiffness is made of: bone, cortex, gap, joints, ligaments, loads."""
