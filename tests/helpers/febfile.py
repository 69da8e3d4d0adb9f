"""A .feb file read back and solved by a small program of its own: linear, without shells."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve

_GAUSS = np.array([-np.sqrt(0.6), 0.0, np.sqrt(0.6)]), np.array([5.0, 8.0, 5.0]) / 9.0
_A, _B = 0.445948490915965, 0.091576213509771
_TRIANGLE = (
    np.array([[_A, _A], [1 - 2 * _A, _A], [_A, 1 - 2 * _A], [_B, _B], [1 - 2 * _B, _B], [_B, 1 - 2 * _B]]),
    np.repeat([0.223381589678011 / 2, 0.109951743655322 / 2], 3),
)
_C = (5 - np.sqrt(5)) / 20
_TET = np.array([[_C, _C, _C], [1 - 3 * _C, _C, _C], [_C, 1 - 3 * _C, _C], [_C, _C, 1 - 3 * _C]]), np.full(4, 1 / 24)


def tet4(p):
    r, s, t = p
    return np.array([1 - r - s - t, r, s, t])


def tet10(p):
    h = tet4(p)
    return np.array(
        [*(h * (2 * h - 1)), *(4 * h[i] * h[j] for i, j in ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3)))]
    )


def penta6(p):
    h = np.array([1 - p[0] - p[1], p[0], p[1]])
    return np.concatenate([h * (1 - p[2]) / 2, h * (1 + p[2]) / 2])


def penta15(p):
    h, t = np.array([1 - p[0] - p[1], p[0], p[1]]), p[2]
    edges = 2 * np.array([h[0] * h[1], h[1] * h[2], h[2] * h[0]])
    corners = [h * (2 * h - 1) * (1 + sign * t) / 2 - h * (1 - t * t) / 2 for sign in (-1, 1)]
    return np.concatenate([*corners, edges * (1 - t), edges * (1 + t), h * (1 - t * t)])


def _wedge_rule():
    points = [[*p, t] for p in _TRIANGLE[0] for t in _GAUSS[0]]
    return np.array(points), np.outer(_TRIANGLE[1], _GAUSS[1]).ravel()


KINDS = {
    "tet4": (tet4, _TET),
    "tet10": (tet10, _TET),
    "penta6": (penta6, _wedge_rule()),
    "penta15": (penta15, _wedge_rule()),
}


def gradients(shape, point):
    """(a, 3) derivatives by complex steps."""
    return np.stack([shape(point + 1e-30j * np.eye(3)[i]).imag / 1e-30 for i in range(3)], axis=1)


class FebFile:
    """What the file says: every name that it uses is looked up."""

    def __init__(self, path):
        self.root = root = ElementTree.parse(path).getroot()
        assert root.attrib == {"version": "4.0"}
        mesh = root.find("Mesh")
        self.nodes = np.array([row.text.split(",") for row in mesh.find("Nodes")], float)
        assert [int(row.get("id")) for row in mesh.find("Nodes")] == list(range(1, len(self.nodes) + 1))
        self.blocks = {b.get("name"): (b.get("type"), numbers(b)) for b in mesh.findall("Elements")}
        ids = [int(e.get("id")) for b in mesh.findall("Elements") for e in b]
        assert ids == list(range(1, len(ids) + 1))
        self.sets = {s.get("name"): np.array(s.text.split(","), int) - 1 for s in mesh.findall("NodeSet")}
        self.element_sets = {s.get("name"): np.array(s.text.split(","), int) for s in mesh.findall("ElementSet")}
        self.springs = {s.get("name"): np.array(s[0].text.split(","), int) - 1 for s in mesh.findall("DiscreteSet")}
        data = [*root.find("MeshData")]
        self.maps = {d.get("name"): (d, np.array([row.text.split(",") for row in d], float)) for d in data}
        self.materials = {m.get("name"): m for m in root.find("Material")}
        self.domains = {d.get("name"): d for d in root.find("MeshDomains")}
        assert self.domains.keys() == self.blocks.keys()

    def values(self, material, tag):
        entry = self.materials[material].find(tag)
        count = len(self.blocks[material][1])
        if entry.get("type") != "map":
            return np.full(count, float(entry.text))
        data, values = self.maps[entry.text]
        assert len(self.element_sets[data.get("elem_set")]) == len(values) == count
        return values.ravel()

    def solve(self):
        n = 3 * len(self.nodes)
        matrix = sparse.csr_array((n, n))
        for name, domain in self.domains.items():
            if domain.tag == "SolidDomain":
                matrix = matrix + self._stiffness(name, domain.get("mat"), n)
        materials = {d.get("id"): d for d in self.root.findall("Discrete/discrete_material")}
        for spring in self.root.findall("Discrete/discrete"):
            a, b = self.springs[spring.get("discrete_set")]
            along = self.nodes[b] - self.nodes[a]
            row = np.zeros(n)
            row[3 * a : 3 * a + 3], row[3 * b : 3 * b + 3] = -along, along
            row = sparse.csr_array(row[None] / np.linalg.norm(along))
            matrix = matrix + float(materials[spring.get("dmat")].find("E").text) * (row.T @ row)
        force = np.zeros((len(self.nodes), 3))
        for load in self.root.findall("Loads/nodal_load"):
            data, values = self.maps[load.find("value").text]
            assert data.get("node_set") == load.get("node_set")
            force[self.sets[load.get("node_set")]] += values
        fixed = np.zeros((len(self.nodes), 3), bool)
        for condition in self.root.findall("Boundary/bc"):
            for axis in range(3):
                fixed[self.sets[condition.get("node_set")], axis] |= condition[axis].text == "1"
        free = ~fixed.ravel()
        u = np.zeros(n)
        u[free] = spsolve(matrix.tocsc()[free][:, free], force.ravel()[free])
        return u.reshape(-1, 3), force

    def jacobians(self, name):
        """(e, q) determinants at integration points."""
        kind, elements = self.blocks[name]
        shape, (points, _) = KINDS[kind]
        local = np.stack([gradients(shape, p) for p in points])
        return np.linalg.det(np.einsum("qai,eaj->eqij", local, self.nodes[elements]))

    def _stiffness(self, name, material, n):
        kind, elements = self.blocks[name]
        shape, (points, weights) = KINDS[kind]
        local = np.stack([gradients(shape, p) for p in points])
        jacobian = np.einsum("qai,eaj->eqij", local, self.nodes[elements])
        volume = np.linalg.det(jacobian) * weights
        grad = np.einsum("eqij,qaj->eqai", np.linalg.inv(jacobian), local)
        youngs, nu = self.values(material, "E"), self.values(material, "v")
        lam, mu = youngs * nu / (1 + nu) / (1 - 2 * nu), youngs / 2 / (1 + nu)
        first = np.einsum("eq,e,eqai,eqbj->eaibj", volume, lam, grad, grad, optimize=True)
        second = np.einsum("eq,e,eqaj,eqbi->eaibj", volume, mu, grad, grad, optimize=True)
        third = np.einsum("eq,e,eqak,eqbk,ij->eaibj", volume, mu, grad, grad, np.eye(3), optimize=True)
        dofs = (3 * elements[:, :, None] + np.arange(3)).reshape(len(elements), -1)
        size = dofs.shape[1]
        blocks = (first + second + third).reshape(len(elements), size, size)
        rows, columns = np.repeat(dofs, size, axis=1).ravel(), np.tile(dofs, (1, size)).ravel()
        return sparse.csr_array(sparse.coo_array((blocks.ravel(), (rows, columns)), shape=(n, n)))


def numbers(block):
    return np.array([row.text.split(",") for row in block], int) - 1
