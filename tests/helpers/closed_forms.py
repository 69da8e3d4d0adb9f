"""Closed solutions of elasticity that the verification problems are held against."""

import numpy as np
from elasticity import hooke


class DiscSource:
    """Half-space z >= 0 without shear on z = 0, loaded within the disc r <= a.

    2 G u_r = (1 - 2 nu) F_r + z F_rz,  2 G u_z = -2 (1 - nu) F_z + z F_zz,  s_zz(z = 0) = -F_zz,
    F the harmonic function of point sources on the imaginary axis between -a and a,
    F_z = integral of g(t) / sqrt(r² + (z + i t)²) dt (Green 1949; Barber, Elasticity, ch. 30).
    Away from the disc the integrand is smooth, so Gauss points give it to rounding.

    - ``punch(P)``: g = -P / (4 pi a): rigid flat punch, force P; u_z = P (1 - nu²) / (2 E a) on the disc.
    - ``hertz(P)``: g = -3 P (a² - t²) / (8 pi a³): pressure p0 sqrt(1 - r²/a²), p0 = 3 P / (2 pi a²).
    - ``crack(p)``: g = -i t p / pi: penny crack under pressure p (Sneddon 1946), opening
      8 (1 - nu²) p / (pi E) sqrt(a² - r²), volume 16 (1 - nu²) p a³ / (3 E).
    """

    def __init__(self, a, youngs, poisson):
        self.a, self.E, self.nu = a, youngs, poisson

    def punch(self, force, x):
        return self._field(x, lambda t: -force / (4 * np.pi * self.a) + 0j * t)

    def crack(self, pressure, x):
        return self._field(x, lambda t: -1j * t * pressure / np.pi)

    def hertz(self, force, x):
        return self._field(x, lambda t: -3 * force * (self.a**2 - t**2) / (8 * np.pi * self.a**3) + 0j)

    def shear(self, force, x):
        """Shear force along x without rotation: u_x = P (2 - nu) / (8 G a) on the disc, u_y = 0.

        The traction P / (2 pi a sqrt(a² - r²)) of a disc, by Cerruti's point force (Johnson, Contact Mechanics,
        3.6) summed over it: on a chord from any point of the disc it integrates to P / (2 a), whatever the chord,
        so the surface kernel ((1 - nu) / s + nu cos² / s) / (2 pi G) gives P (1 - nu/2) / (4 G a) everywhere.
        For z < 0 it is the other body, pulled the other way.
        """
        shear, count = self.E / (2 * (1 + self.nu)), 24
        angle, weight = np.polynomial.legendre.leggauss(count)
        angle, weight = (angle + 1) * np.pi / 4, weight * np.pi / 4
        # r = a sin(angle): the area times the traction is smooth, P sin(angle) d(angle) d(turn) / (2 pi).
        turn = np.arange(2 * count) * np.pi / count
        share = force * np.sin(angle) * weight / (2 * count)
        result = np.zeros_like(x)
        z = np.abs(x[:, 2])
        for r, p in zip(self.a * np.sin(angle), share, strict=True):
            dx = x[:, :1] - r * np.cos(turn)
            dy = x[:, 1:2] - r * np.sin(turn)
            distance = np.sqrt(dx**2 + dy**2 + z[:, None] ** 2)
            deep = distance + z[:, None]
            soft = 1 - 2 * self.nu
            along = 1 / distance + dx**2 / distance**3 + soft * (1 / deep - dx**2 / (distance * deep**2))
            across = dx * dy * (1 / distance**3 - soft / (distance * deep**2))
            down = dx * (z[:, None] / distance**3 + soft / (distance * deep))
            result += p * np.stack([along.sum(axis=1), across.sum(axis=1), down.sum(axis=1)], axis=1)
        result /= 4 * np.pi * shear
        return result * np.where(x[:, 2] < 0, -1.0, 1.0)[:, None] * np.where(x[:, 2:] < 0, [1, 1, -1], 1)

    def _field(self, x, density):
        """(n, 3) displacement at points (n, 3) two radii and more away; z < 0 is the mirror image."""
        t, w = np.polynomial.legendre.leggauss(40)
        t, w = t * self.a, w * self.a
        r, z = np.hypot(x[:, 0], x[:, 1])[:, None], np.abs(x[:, 2])[:, None]
        zt = z + 1j * t
        distance = np.sqrt(r**2 + zt**2)

        def total(kernel):
            return (kernel * density(t)) @ w

        f_z, f_r = total(1 / distance).real, total(r / (distance * (distance + zt))).real
        f_zz, f_rz = total(-zt / distance**3).real, total(-r / distance**3).real
        r, z, shear = r[:, 0], z[:, 0], self.E / (2 * (1 + self.nu))
        radial = ((1 - 2 * self.nu) * f_r + z * f_rz) / (2 * shear) / np.where(r > 0, r, 1.0)
        axial = (-2 * (1 - self.nu) * f_z + z * f_zz) / (2 * shear)
        return np.column_stack([radial * x[:, 0], radial * x[:, 1], np.where(x[:, 2] < 0, -axial, axial)])


class Inclusion:
    """Bonded elastic sphere of radius a in an infinite matrix under remote stress (Goodier 1933, Eshelby 1957).

    alpha = (1 + nu)/(3 (1 - nu)), beta = 2 (4 - 5 nu)/(15 (1 - nu)) of the matrix; the strain inside is uniform,
    tr e = tr e0 / (1 + alpha (K_i/K_m - 1)), dev e = dev e0 / (1 + beta (G_i/G_m - 1)); outside it is that of the
    equivalent eigenstrain e* with potentials phi = V/r, psi = V (r + a²/(5 r)) (Mura, Micromechanics, ch. 2).
    """

    def __init__(self, a, matrix, inclusion, stress):
        (em, nu), (ei, nui) = self.matrix, self.inclusion = matrix, inclusion
        km, gm = em / (3 * (1 - 2 * nu)), em / (2 * (1 + nu))
        ki, gi = ei / (3 * (1 - 2 * nui)), ei / (2 * (1 + nui))
        self.a, self.nu = a, nu
        mean = np.trace(stress) / 3 * np.eye(3)
        self.remote = mean / (3 * km) + (stress - mean) / (2 * gm)
        alpha, beta = (1 + nu) / (3 * (1 - nu)), 2 * (4 - 5 * nu) / (15 * (1 - nu))
        volume = np.trace(self.remote) / 3 * np.eye(3)
        shape = self.remote - volume
        inner_volume, inner_shape = volume / (1 + alpha * (ki / km - 1)), shape / (1 + beta * (gi / gm - 1))
        self.inner = inner_volume + inner_shape
        self.inner_stress = 3 * ki * inner_volume + 2 * gi * inner_shape
        self.eigen = (inner_volume - volume) / alpha + (inner_shape - shape) / beta

    def displacement(self, x):
        """(n, 3) at points (n, 3)."""
        r = np.maximum(np.linalg.norm(x, axis=1), self.a)[:, None]
        nu, e, volume = self.nu, self.eigen, 4 * np.pi * self.a**3 / 3
        n = x / r
        en = n @ e
        nen, trace = np.sum(n * en, axis=1, keepdims=True), np.trace(e)
        gradient = -volume * n / r**2
        first = (-(2 * en + trace * n) + 3 * n * nen) / r**2
        second = (3 * (2 * en + trace * n) - 15 * n * nen) / r**4
        outside = volume * (first + self.a**2 / 5 * second) - 2 * nu * trace * gradient - 4 * (1 - nu) * gradient @ e
        outside = outside / (8 * np.pi * (1 - nu)) + x @ self.remote
        return np.where(np.linalg.norm(x, axis=1, keepdims=True) > self.a, outside, x @ self.inner)

    def stress(self, x):
        """(n, 3, 3) at points (n, 3), from differences of the displacement outside."""
        step = 1e-4 * self.a
        columns = [(self.displacement(x + d) - self.displacement(x - d)) / (2 * step) for d in step * np.eye(3)]
        outside = hooke(np.stack(columns, axis=-1), *self.matrix)
        return np.where(np.linalg.norm(x, axis=1)[:, None, None] > self.a, outside, self.inner_stress)
