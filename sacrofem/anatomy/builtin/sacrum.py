"""The parametric sacrum: five fused bodies, alae, posterior arch, canal and foramina as one implicit solid.

All parts live in curved coordinates of the ventral arc: ``u`` = distance from the median plane, ``v`` = depth behind
the ventral arc, ``s`` = length along it from the promontory. A circle makes them exact and free of any search.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from sacrofem.anatomy.builtin.blend import bump, smooth_max, smooth_min, smooth_step
from sacrofem.anatomy.builtin.parameters import SacrumParameters
from sacrofem.anatomy.solid import LEVELS, AuricularFace, Corridor, Landmarks
from sacrofem.system.arrays import FloatArray

__all__ = ["ParametricSacrum", "SacrumParameters"]


@dataclass(frozen=True, eq=False)
class ParametricSacrum:
    """The sacrum of given parameters as an implicit solid, symmetric in x.

    Parameters
    ----------
    parameters
        Dimensions; the female preset by default.
    """

    parameters: SacrumParameters = field(default_factory=SacrumParameters)

    # ------------------------------------------------------------------ the curved frame
    @cached_property
    def arc_angle(self) -> float:
        """Angle (rad) of the circular ventral arc with the given chord and length."""
        ratio = self.parameters.straight_length_mm / self.parameters.ventral_arc_mm
        return float(brentq(lambda a: np.sin(a / 2) / (a / 2) - ratio, 1e-3, 2 * np.pi - 1e-3))

    @property
    def arc_radius(self) -> float:
        """Radius (mm) of the ventral arc."""
        return self.parameters.ventral_arc_mm / self.arc_angle

    @property
    def endplate_normal(self) -> FloatArray:
        """(3,) unit normal out of the S1 endplate."""
        slope = np.radians(self.parameters.slope_deg)
        return np.array([0.0, -np.sin(slope), np.cos(slope)])

    @cached_property
    def _axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        p = self.parameters
        slope, start = np.radians(p.slope_deg), np.radians(p.slope_deg + p.promontory_tilt_deg)
        promontory = -0.5 * p.endplate_ap_mm * np.array([np.cos(slope), np.sin(slope)])
        depth, along = np.array([np.cos(start), np.sin(start)]), np.array([np.sin(start), -np.cos(start)])
        return promontory - self.arc_radius * depth, depth, along

    def arc_coordinates(self, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Distance from the median plane, depth behind the ventral arc and length along it (each (n,), mm)."""
        centre, depth, along = self._axes
        r = points[:, 1:] - centre
        v = np.hypot(r[:, 0], r[:, 1]) - self.arc_radius
        s = np.arctan2(r @ along, r @ depth) * self.arc_radius
        return np.abs(points[:, 0]), v, s

    def at(self, x: float, v: float, s: float) -> FloatArray:
        """(3,) the point at lateral position x, depth v and arc length s."""
        return np.asarray(self._along_depth(x, np.array([v]), s)[0])

    def _along_depth(self, x: float, v: FloatArray, s: float) -> FloatArray:
        centre, depth, along = self._axes
        angle = s / self.arc_radius
        yz = centre + (self.arc_radius + v)[:, None] * (np.cos(angle) * depth + np.sin(angle) * along)
        return np.column_stack([np.full(len(v), x), yz])

    @cached_property
    def ends(self) -> FloatArray:
        """(5,) arc lengths of the lower ends of S1..S5."""
        return np.cumsum(self.parameters.body_heights_mm)

    def _profile(self, s: FloatArray, upper: float, values: tuple[float, ...]) -> FloatArray:
        stations = np.array([0.0, *self.ends[: len(values)]])
        curve = PchipInterpolator(stations, [upper, *values])
        return np.asarray(curve(np.clip(s, 0.0, stations[-1])))

    def _body_depth(self, s: FloatArray) -> FloatArray:
        p = self.parameters
        # At the hind edge of the endplate, which lies lower than the promontory, the depth is that of the endplate
        # and of what the rounded edge takes away.
        top = p.endplate_ap_mm * np.cos(np.radians(p.promontory_tilt_deg)) + 1.5
        hind = p.endplate_ap_mm * np.sin(np.radians(p.promontory_tilt_deg))
        curve = PchipInterpolator([0.0, 1.1 * hind, *self.ends], [top, top, *p.body_depths_mm])
        return np.asarray(curve(np.clip(s, 0.0, self.ends[-1])))

    def _canal_axis(self, s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Depth of the canal's axis, half width and half depth at arc length s."""
        p = self.parameters
        width = self._profile(s, p.canal_widths_mm[0] * 1.04, p.canal_widths_mm)
        depth = self._profile(s, p.canal_depths_mm[0] * 1.15, p.canal_depths_mm)
        return self._body_depth(s) + 0.5 * depth, 0.5 * width, 0.5 * depth

    # ------------------------------------------------------------------ parts
    def _bodies(self, u: FloatArray, v: FloatArray, s: FloatArray) -> FloatArray:
        p = self.parameters
        lines = np.sum([bump(s, end, 2.5) for end in self.ends[:4]], axis=0)
        middles = zip(self.ends, p.body_heights_mm, strict=True)
        waist = np.sum([bump(s, end - 0.5 * height, 0.33 * height) for end, height in middles], axis=0)
        half_depth = 0.5 * self._body_depth(s)
        rim = 0.5 * p.endplate_transverse_mm
        half_width = np.asarray(
            PchipInterpolator([0.0, 0.45 * self.ends[0], *self.ends], [rim, rim, *p.body_half_widths_mm])(
                np.clip(s, 0.0, self.ends[-1])
            )
        )
        half_width = half_width - 0.8 * waist * smooth_step(s - 0.6 * self.ends[0], 6.0)
        front = v + 0.7 * lines - 0.5 * waist
        a, b = u / half_width, (front - half_depth) / half_depth
        r = (np.abs(a) ** 2.3 + np.abs(b) ** 2.3 + 1e-12) ** (1 / 2.3)
        return np.asarray((r - 1.0) * np.minimum(half_width, half_depth))

    def _lateral_mass(self, u: FloatArray, v: FloatArray, s: FloatArray, h: FloatArray, ear: FloatArray) -> FloatArray:
        p = self.parameters
        arc = self.ends[-1]
        widths = p.lateral_half_widths_mm
        top = 0.5 * p.alar_breadth_mm
        shoulder = top - 2.2
        stations = [
            *(-8.0, 0.0, 0.42 * self.ends[0], self.ends[0], self.ends[1]),
            0.4 * self.ends[1] + 0.6 * self.ends[2],
            *self.ends[2:4],
            *(0.5 * (self.ends[3] + arc), arc + 2.0),
        ]
        values = [
            *(shoulder + np.array([-4.0, -1.6, 0.0, 0.2])),
            widths[0],
            0.75 * widths[0] + 0.25 * widths[1],
            *widths[1:3],
            0.5 * (widths[2] + widths[3]),
            widths[3],
        ]
        outline = PchipInterpolator(stations, values)(np.clip(s, -8.0, arc + 2.0))
        # The faces converge to the back above and turn the other way below: the propeller of the joint.
        turn = np.tan(np.radians(p.auricular_convergence_deg)) * (1.0 - 1.1 * np.clip(s / self.ends[2], 0.0, 1.0))
        side = (u - outline) + turn * (v - 12.0) - 1.6 * smooth_step(-ear, 3.5)
        side = side / np.sqrt(1.0 + turn**2)
        reach = np.clip(u / shoulder, 0.0, 1.1)
        taper = self._profile(s, 1.0, (0.84, 0.67, 0.48, 0.34, 0.22))
        front = self._profile(s, 12.0, (4.5, 3.0, 2.5, 2.0, 1.2)) - 7.0 * taper * reach**2 * 0.6
        back = taper * p.ala_depth_mm * (1.02 - 0.24 * reach**2) + 2.0 * (1 - taper)
        # Beside the posterior foramina the lateral mass reaches as far back as the laminae do.
        centre, _, half_depth = self._canal_axis(s)
        foramen = self._profile(s, p.posterior_offsets_mm[0] * 1.05, p.posterior_offsets_mm)
        away = 0.03 * np.maximum(u - foramen - 5.0, 0.0) ** 2 + 0.08 * np.maximum(foramen - 2.0 - u, 0.0) ** 2
        away = away + 0.03 * np.maximum(0.8 * self.ends[1] - s, 0.0) ** 2
        away = away + 0.1 * np.maximum(s - arc + p.hiatus_mm, 0.0) ** 2
        shelf = centre + half_depth + 0.5 * p.lamina_thickness_mm - away
        back = smooth_max(back, shelf, 3.0) + self._dorsal_relief(u, s) * taper**0.5
        lateral = smooth_max(side, smooth_max(front - v, v - back, 8.0), 5.0)
        fall = np.tan(np.radians(p.ala_slope_deg))
        rim = 0.5 * p.endplate_transverse_mm
        slope = fall * 6.0 * np.log1p(np.exp((u - rim) / 6.0))
        roof = h + p.ala_step_mm + slope + 0.012 * np.maximum(24.0 - v, 0.0) ** 2
        return smooth_max(lateral, roof / np.sqrt(1.0 + fall**2), 6.0)

    def _dorsal_relief(self, u: FloatArray, s: FloatArray) -> FloatArray:
        """Height (mm) of crests and grooves on the back of the lateral mass."""
        p = self.parameters
        foramen = self._profile(s, p.posterior_offsets_mm[0] * 1.05, p.posterior_offsets_mm)
        outward = (u - foramen) / (0.5 + 0.5 * foramen / p.posterior_offsets_mm[0])
        knobs = 0.5 - 0.5 * np.cos(2 * np.pi * self._profile_index(s))
        lateral_crest = (1.4 + 2.2 * knobs) * bump(outward, 9.5, 4.5)
        groove = -1.6 * bump(outward, 0.5, 4.0)
        fossa = -3.2 * bump(outward, 19.0, 6.0)
        return np.asarray(lateral_crest + groove + fossa)

    def _profile_index(self, s: FloatArray) -> FloatArray:
        """0 at the promontory, 1 at the lower end of S1 and so on, smooth between."""
        curve = PchipInterpolator([0.0, *self.ends], np.arange(6.0))
        return np.asarray(curve(np.clip(s, 0.0, self.ends[-1])))

    def _arch(self, u: FloatArray, v: FloatArray, s: FloatArray, h: FloatArray) -> FloatArray:
        p = self.parameters
        centre, half_width, half_depth = self._canal_axis(s)
        canal = _ellipse(u, v - centre, half_width, half_depth)
        laminae = canal - p.lamina_thickness_mm
        height = p.crest_height_mm * (1.0 - 0.75 * np.clip(s / self.ends[3], 0.0, 1.0))
        tubercles = np.array([0.62, 1.0, 1.0, 1.0]) * self.ends[:4] - [0, 9, 8, 7]
        knobs = np.sum([bump(s, middle, 5.5) for middle in tubercles], axis=0)
        height = height * (0.25 + 0.75 * np.clip(knobs, 0, 1))
        crest_top = centre + half_depth + p.lamina_thickness_mm + height
        crest = smooth_max(u - 2.6 - 0.8 * knobs, smooth_max(v - crest_top, centre - v, 2.0), 4.0)
        crest = smooth_max(crest, h + 15.0, 5.0)
        arch = smooth_min(laminae, crest, 5.0)
        roof = h + 9.0 + 0.012 * u**2
        arch = smooth_max(arch, roof, 4.0)
        hiatus = s - (self.ends[-1] - p.hiatus_mm) + 0.25 * (v - centre) - 0.35 * u
        return smooth_max(arch, hiatus, 3.0)

    def _facets(self, u: FloatArray, points: FloatArray, h: FloatArray) -> FloatArray:
        p = self.parameters
        slope = np.radians(p.slope_deg)
        e = points[:, 1] * np.cos(slope) + points[:, 2] * np.sin(slope)
        centre = 0.5 * p.endplate_ap_mm + 9.0
        # Turned by 40 degrees: the plate looks back and inward.
        du, de = u - p.facet_offset_mm, e - centre
        across, through = 0.77 * du + 0.64 * de, 0.77 * de - 0.64 * du
        a, b, c = across / 9.0, (through - 0.2 * (h + 6.0)) / 5.5, (h + 9.0) / 12.5
        process = ((a**2 + b**2 + np.abs(c) ** 2.5 + 1e-12) ** 0.45 - 1.0) * 5.5
        # A shallow hollow that looks back and inward: the joint face for L5.
        du, de, dh = u - (p.facet_offset_mm - 9.5), e - (centre + 13.0), h - 1.0
        hollow = 12.0 - np.sqrt(du**2 + de**2 + (0.7 * dh) ** 2 + 1e-12)
        return smooth_max(process, hollow, 2.5)

    def _canal(self, u: FloatArray, v: FloatArray, s: FloatArray) -> FloatArray:
        centre, half_width, half_depth = self._canal_axis(s)
        return _ellipse(u, v - centre, half_width, half_depth)

    def _ear(self, points: FloatArray) -> FloatArray:
        """Signed distance (mm, in the lateral view) to the outline of the auricular face."""
        p = self.parameters
        half, bend, half_angle = 0.5 * p.auricular_width_mm, self._ear_bend, self._ear_half_angle
        mid = self.at(0.0, 13.0, self._ear_level)
        angle = self._ear_angle
        back, down = np.array([np.cos(angle), np.sin(angle)]), np.array([np.sin(angle), -np.cos(angle)])
        r = points[:, 1:] - (mid[1:] + bend * back)
        radial, tangent = -(r @ back), r @ down
        phi = np.arctan2(tangent, radial)
        phi = phi - np.clip(phi, -half_angle, half_angle)
        radius = np.hypot(radial, tangent)
        # Distance to an arc; beyond its ends to the end point.
        away = np.sqrt(radius**2 + bend**2 - 2 * radius * bend * np.cos(phi) + 1e-12)
        # The cranial limb is broader than the caudal one.
        return np.asarray(away - half * (1.0 - 0.2 * np.tanh(tangent / 15.0)))

    @property
    def _ear_bend(self) -> float:
        return 0.7 * self.parameters.auricular_height_mm

    @property
    def _ear_half_angle(self) -> float:
        p = self.parameters
        reach = 0.5 * (p.auricular_height_mm - p.auricular_width_mm) / self._ear_bend
        return float(np.arcsin(np.clip(reach, 0.0, 0.98)))

    @property
    def _ear_level(self) -> float:
        return float(0.8 * self.ends[1])

    @property
    def _ear_angle(self) -> float:
        """Direction (rad from +y to +z) to the back of the auricular face, across its long axis."""
        p = self.parameters
        middle = self._ear_level / self.arc_radius
        return float(np.radians(p.slope_deg + p.promontory_tilt_deg) - middle)

    @cached_property
    def _foramen_paths(self) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
        """(u, v, s) of each anterior mouth, of the meeting beside the canal and of the posterior mouth."""
        p = self.parameters
        s = self.ends[:4]
        centre, _, half_depth = self._canal_axis(s)
        front, back = np.array(p.anterior_offsets_mm), np.array(p.posterior_offsets_mm)
        lower = s + np.array([2.0, 1.0, 0.0, -0.5])
        inner = np.column_stack([back - 1.0, centre - 0.1 * half_depth, s])
        # All depths at once: the bone costs as much for one point as for a thousand.
        depths = self._surface_depths(
            np.concatenate([front, back]), np.concatenate([s, lower]),
            np.concatenate([np.full(4, -5.0), centre + 30.0]), np.concatenate([centre, centre]),
        )  # fmt: skip
        mouth = np.column_stack([front, depths[:4], s])
        rear = np.column_stack([back, depths[4:], lower])
        return list(zip(mouth, inner, rear, strict=True))

    def _surface_depths(self, u: FloatArray, s: FloatArray, outside: FloatArray, inside: FloatArray) -> FloatArray:
        """Depths at which the bone, its canal and foramina filled, ends between two depths."""
        depth = np.linspace(inside, outside, 200)
        points = [self._along_depth(u[k], depth[:, k], s[k]) for k in range(len(u))]
        value = self._bone(np.concatenate(points)).reshape(len(u), -1)
        first = (value > 0).argmax(axis=1)
        return np.array([np.interp(0.0, value[k, i - 1 : i + 1], depth[i - 1 : i + 1, k]) for k, i in enumerate(first)])

    def _foramina(self, u: FloatArray, v: FloatArray, s: FloatArray) -> FloatArray:
        p = self.parameters
        result = np.full(len(u), 50.0)
        for k, (mouth, inner, rear) in enumerate(self._foramen_paths):
            front = (p.anterior_widths_mm[k], p.anterior_heights_mm[k])
            hind = (p.posterior_widths_mm[k], p.posterior_heights_mm[k])
            middle = (0.5 * (front[0] + hind[0]), 0.5 * (front[1] + hind[1]))
            result = smooth_min(result, self._tube(u, v, s, mouth, inner, front, middle), 1.5)
            result = smooth_min(result, self._tube(u, v, s, rear, inner, hind, hind), 1.5)
            result = smooth_min(result, self._tube(u, v, s, inner * [0.3, 1.0, 1.0], inner, middle, middle), 1.5)
        return result

    def _tube(
        self,
        u: FloatArray,
        v: FloatArray,
        s: FloatArray,
        start: FloatArray,
        end: FloatArray,
        start_size: tuple[float, float],
        end_size: tuple[float, float],
    ) -> FloatArray:
        """Elliptic tube from a mouth to the canal, prolonged outwards from the mouth."""
        du, dv = end[0] - start[0], end[1] - start[1]
        length = np.hypot(du, dv)
        t = ((u - start[0]) * du + (v - start[1]) * dv) / length**2
        t = np.clip(t, -15.0 / length, 1.0)
        inside = np.clip(2.0 * t - 1.0, 0.0, 1.0)
        width = 0.5 * (start_size[0] + (end_size[0] - start_size[0]) * inside)
        height = 0.5 * (start_size[1] + (end_size[1] - start_size[1]) * inside)
        axis_s = start[2] + (end[2] - start[2]) * np.clip(t, 0.0, 1.0)
        across = np.hypot(u - start[0] - t * du, v - start[1] - t * dv)
        stretch = 1.0 + v / self.arc_radius
        along = (s - axis_s) * stretch / np.sqrt(1.0 + ((end[2] - start[2]) * stretch / length) ** 2)
        r = np.sqrt((across / width) ** 2 + (along / height) ** 2 + 1e-12)
        return np.asarray((r - 1.0) * np.minimum(width, height))

    # ------------------------------------------------------------------ the solid
    @property
    def symmetric(self) -> bool:
        """True: the solid knows only the distance from the median plane."""
        return True

    @cached_property
    def bounds(self) -> FloatArray:
        """(2, 3) a box around the solid, mm."""
        p = self.parameters
        s, v = np.meshgrid(np.linspace(-6.0, self.ends[-1] + 6.0, 40), [-8.0, 70.0])
        keep = (v < 0) | (s < self.ends[2])
        yz = np.array([self.at(0.0, a, b)[1:] for a, b in zip(v[keep], s[keep], strict=True)])
        x = 0.5 * p.alar_breadth_mm + 5.0
        low, high = yz.min(axis=0), yz.max(axis=0)
        return np.array([[-x, low[0], low[1] - 4.0], [x, min(high[0], 75.0), 28.0]])

    def signed_distance(self, points: FloatArray) -> FloatArray:
        """(n,) approximate signed distance in mm at (n, 3) points, negative inside."""
        points = np.atleast_2d(np.asarray(points, dtype=float))
        u, v, s = self.arc_coordinates(points)
        void = smooth_min(self._canal(u, v, s), self._foramina(u, v, s), 2.0)
        return smooth_max(self._bone(points), -void, 2.0)

    def _bone(self, points: FloatArray) -> FloatArray:
        """The solid before canal and foramina are taken out."""
        u, v, s = self.arc_coordinates(points)
        h = points @ self.endplate_normal
        bodies = smooth_max(self._bodies(u, v, s), h, 2.0)
        wings = self._lateral_mass(u, v, s, h, self._ear(points))
        bone = smooth_min(bodies, wings, 8.0)
        bone = smooth_min(bone, self._arch(u, v, s, h), 4.0)
        bone = smooth_min(bone, self._facets(u, points, h), 7.0)
        end = (s - self.ends[-1]) * (1.0 + v / self.arc_radius)
        return smooth_max(bone, end, 3.0)

    @cached_property
    def landmarks(self) -> Landmarks:
        """Landmarks of the solid, all of them on or in it."""
        p, arc = self.parameters, self.ends[-1]
        middles = self.ends - 0.5 * np.array(p.body_heights_mm)
        # The endplate is tilted against the ventral arc: the middle of S1 lies lower than that of its ventral face.
        middles[0] += 0.25 * p.endplate_ap_mm * np.sin(np.radians(p.promontory_tilt_deg))
        depths = 0.5 * self._body_depth(middles)
        return Landmarks(
            endplate_centre=np.zeros(3),
            endplate_normal=self.endplate_normal,
            promontory=self._towards(self.at(0.0, 5.0, 8.0), self.at(0.0, 0.0, 0.0)),
            apex=self._towards(self.at(0.0, 3.0, arc - 5.0), self.at(0.0, 0.0, arc)),
            levels=np.array([self.at(0.0, v, s) for v, s in zip(depths, middles, strict=True)]),
            auricular={"left": self._auricular_face(1.0), "right": self._auricular_face(-1.0)},
            canal=self._canal_corridor(),
            foramina=self.foramina,
        )

    @cached_property
    def foramina(self) -> dict[str, Corridor]:
        """Corridors from front to back, by level and side as in ``S1_left``."""
        return {
            f"{level}_{side}": self._foramen_corridor(k, sign)
            for k, level in enumerate(LEVELS)
            for side, sign in (("left", 1.0), ("right", -1.0))
        }

    def _towards(self, inside: FloatArray, outside: FloatArray) -> FloatArray:
        """The point where the way from inside through ``outside`` leaves the solid."""
        way = outside - inside
        t = brentq(lambda t: float(self.signed_distance(inside + t * way)[0]), 0.0, 3.0)
        return np.asarray(inside + t * way)

    def _canal_corridor(self) -> Corridor:
        arc = self.ends[-1]
        top = brentq(
            lambda s: float(self.at(0.0, float(self._canal_axis(np.array([s]))[0][0]), s) @ self.endplate_normal),
            -20.0,
            0.5 * arc,
        )
        s = np.linspace(top, arc, 12)
        centre, half_width, half_depth = self._canal_axis(s)
        points = np.array([self.at(0.0, v, a) for v, a in zip(centre, s, strict=True)])
        return Corridor(points, np.minimum(0.8 * half_width, half_depth))

    def _foramen_corridor(self, level: int, sign: float) -> Corridor:
        p = self.parameters
        mouth, inner, rear = self._foramen_paths[level]
        path = np.array([mouth, 0.5 * (mouth + inner), inner, 0.45 * inner + 0.55 * rear, rear])
        front = min(p.anterior_widths_mm[level], p.anterior_heights_mm[level])
        hind = min(p.posterior_widths_mm[level], p.posterior_heights_mm[level])
        points = np.array([self.at(sign * u, v, s) for u, v, s in path])
        return Corridor(points, 0.5 * np.array([front, front, hind, hind, hind]))

    def _auricular_face(self, sign: float) -> AuricularFace:
        p = self.parameters
        y, z = (a.ravel() for a in np.meshgrid(*(np.arange(low, high, 1.5) for low, high in self.bounds.T[1:])))
        cloud = np.stack([np.zeros_like(y), y, z], axis=1)
        cloud = self._lateral(cloud[self._ear(cloud) < -1.0])
        middle = cloud.mean(axis=0)
        normal = np.linalg.svd(cloud - middle)[2][2]
        normal *= np.sign(normal[0])
        centre = self._lateral(middle[None])[0]
        flip = np.array([sign, 1.0, 1.0])
        width = p.auricular_width_mm + self._ear_bend * (1.0 - np.cos(self._ear_half_angle))
        return AuricularFace(centre * flip, normal * flip, p.auricular_height_mm, float(width))

    def _lateral(self, points: FloatArray) -> FloatArray:
        """Points moved along x onto the left lateral face."""
        low = np.full(len(points), 0.25 * self.parameters.alar_breadth_mm)
        high = np.full(len(points), 0.5 * self.parameters.alar_breadth_mm + 5.0)
        for _ in range(40):
            x = 0.5 * (low + high)
            inside = self.signed_distance(np.column_stack([x, points[:, 1:]])) < 0
            low, high = np.where(inside, x, low), np.where(inside, high, x)
        return np.column_stack([0.5 * (low + high), points[:, 1:]])

    def auricular_distance(self, points: FloatArray) -> FloatArray:
        """(n,) signed distance (mm, lateral view) of (n, 3) points to the ear-shaped outline, negative within."""
        return self._ear(np.asarray(points, dtype=float))


def _ellipse(u: FloatArray, w: FloatArray, half_width: FloatArray, half_depth: FloatArray) -> FloatArray:
    """A rounded triangle with its base in front: an ellipse that narrows to the back."""
    lean = np.clip(w / half_depth, -1.0, 1.5)
    width = half_width * (1.0 - 0.22 * (lean + 0.6))
    r = np.sqrt((u / width) ** 2 + (w / half_depth) ** 2 + 1e-12)
    return (r - 1.0) * np.minimum(half_width, half_depth)
