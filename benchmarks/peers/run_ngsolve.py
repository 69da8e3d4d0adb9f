"""NGSolve with its sparse Cholesky. Its quadratic shape functions are hierarchical: loads come as a traction."""

from common import THREADS, Record, arguments, lame, matching, read_model


def main() -> None:
    folder, out = arguments()
    record = Record(solver="sparsecholesky")
    import netgen.meshing as netgen
    import ngsolve as ng
    import numpy as np

    ng.SetNumThreads(THREADS)
    record.stage("import")
    model = read_model(folder)
    record.stage("read")
    points, tets = model.nodes[: model.vertices], model.tets[:, :4]
    raw = netgen.Mesh(dim=3)
    raw.AddPoints(points)
    # Netgen looks at its tets from the other side.
    raw.AddElements(dim=3, index=1, data=np.ascontiguousarray(tets[:, [0, 2, 1, 3]], dtype=np.int32), base=0)
    clamped = np.isin(np.arange(len(points)), model.fixed)
    top = np.isin(np.arange(len(points)), model.top)
    for index, on in ((1, clamped), (2, top)):
        raw.Add(netgen.FaceDescriptor(surfnr=index, domin=1, bc=index))
        raw.AddElements(dim=2, index=index, data=_triangles(tets, on), base=0)
    raw.SetMaterial(1, "solid")
    raw.SetBCName(0, "clamped")
    raw.SetBCName(1, "top")
    mesh = ng.Mesh(raw)
    with ng.TaskManager():
        constants = ng.L2(mesh, order=0)
        lam, mu = ng.GridFunction(constants), ng.GridFunction(constants)
        lam.vec.FV().NumPy()[:], mu.vec.FV().NumPy()[:] = lame(model.youngs, model.poisson)
        space = ng.VectorH1(mesh, order=2, dirichlet="clamped")
        u, v = space.TnT()

        def stress(w):
            strain = ng.Sym(ng.Grad(w))
            return lam * ng.Trace(strain) * ng.Id(3) + 2.0 * mu * strain

        form = ng.BilinearForm(ng.InnerProduct(stress(u), ng.Sym(ng.Grad(v))) * ng.dx, symmetric=True)
        form.Assemble()
        load = ng.LinearForm(ng.CF(tuple(model.traction)) * v * ng.ds("top")).Assemble()
        record.stage("assemble")
        solution = ng.GridFunction(space)
        inverse = form.mat.Inverse(space.FreeDofs(), inverse="sparsecholesky")
        solution.vec.data = inverse * load.vec
        # Its factorisation is not refined: one step against the contrast of the moduli.
        solution.vec.data += inverse * (load.vec - form.mat * solution.vec).Evaluate()
        record.stage("solve")
        corners = np.vstack([np.zeros(3), np.eye(3)])
        first, second = np.triu_indices(4)
        rule = ng.IntegrationRule([tuple(p) for p in (corners[first] + corners[second]) / 2], [0.1] * 10)
        everywhere = mesh.MapToAllElements({ng.TET: rule}, ng.VOL)
        stresses = stress(solution)(mesh.MapToAllElements({ng.TET: ng.IntegrationRule(ng.TET, 2)}, ng.VOL))
        record.stage("stress")
        places = ng.CF((ng.x, ng.y, ng.z))(everywhere)
        displacement = solution(everywhere)[matching(places, model.nodes)]
    record.facts["version"] = ng.__version__
    record.write(out, displacement, stresses)


def _triangles(tets, on):
    """(f, 3) faces of tets with all corners among those selected, each once."""
    import numpy as np

    faces = tets[:, [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]]].reshape(-1, 3)
    faces = faces[on[faces].all(axis=1)]
    _, first, count = np.unique(np.sort(faces, axis=1), axis=0, return_index=True, return_counts=True)
    return np.ascontiguousarray(faces[first[count == 1]], dtype=np.int32)


if __name__ == "__main__":
    main()
