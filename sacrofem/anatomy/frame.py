"""From the axes of a scanner to the anatomical frame and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sacrofem.system.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Frame:
    """A rigid motion from the axes of a file (mm) to the anatomical frame.

    Parameters
    ----------
    rotation : (3, 3)
        Rows are the anatomical axes (left, posterior, superior) in the axes of the file.
    origin : (3,)
        Centre of the S1 endplate in the axes of the file, mm.
    """

    rotation: FloatArray
    origin: FloatArray

    @classmethod
    def identity(cls) -> Frame:
        """The axes of the file are the anatomical ones."""
        return cls(np.eye(3), np.zeros(3))

    def place(self, points: FloatArray) -> FloatArray:
        """(n, 3) points of the file in the anatomical frame."""
        return np.asarray((points - self.origin) @ self.rotation.T)

    def back(self, points: FloatArray) -> FloatArray:
        """(n, 3) points of the anatomical frame in the axes of the file."""
        return np.asarray(points @ self.rotation + self.origin)

    def then(self, other: Frame) -> Frame:
        """This motion and after it another one."""
        return Frame(other.rotation @ self.rotation, self.origin + other.origin @ self.rotation)

    @property
    def matrix(self) -> FloatArray:
        """(4, 4) homogeneous matrix of `place`."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, -self.rotation @ self.origin
        return matrix
