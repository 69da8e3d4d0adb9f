"""DOLFINx with MUMPS, on one rank, as a program with the Python of the system (Debian's 0.5 and later)."""

from common import Record, arguments, lame, matching, read_model


def main() -> None:
    folder, out = arguments()
    record = Record(solver="MUMPS Cholesky")
    import dolfinx
    import numpy as np
    import ufl
    from dolfinx import fem
    from dolfinx.fem.petsc import assemble_matrix
    from dolfinx.mesh import create_mesh
    from mpi4py import MPI
    from petsc4py import PETSc

    record.stage("import")
    model = read_model(folder)
    record.stage("read")
    domain = ufl.Mesh(ufl.VectorElement("Lagrange", ufl.tetrahedron, 1))
    mesh = create_mesh(MPI.COMM_WORLD, model.tets[:, :4], model.nodes[: model.vertices], domain)
    V, D = fem.VectorFunctionSpace(mesh, ("Lagrange", 2)), fem.FunctionSpace(mesh, ("DG", 0))
    original = np.asarray(mesh.topology.original_cell_index)
    lam, mu = fem.Function(D), fem.Function(D)
    lam.x.array[:], mu.x.array[:] = (values[original] for values in lame(model.youngs, model.poisson))
    u, v = ufl.TrialFunction(V), ufl.TestFunction(V)

    def stress(w):
        return lam * ufl.tr(ufl.sym(ufl.grad(w))) * ufl.Identity(3) + 2.0 * mu * ufl.sym(ufl.grad(w))

    form = fem.form(ufl.inner(stress(u), ufl.sym(ufl.grad(v))) * ufl.dx(metadata={"quadrature_degree": 2}))
    record.stage("form")
    node = matching(V.tabulate_dof_coordinates(), model.nodes)
    held = fem.dirichletbc(np.zeros(3), node[model.fixed].astype(np.int32), V)
    A = assemble_matrix(form, bcs=[held])
    A.assemble()
    record.stage("assemble")
    A.setOption(PETSc.Mat.Option.SPD, True)
    b = A.createVecRight()
    values = np.zeros((len(model.nodes), 3))
    values[node] = model.force
    values[node[model.fixed]] = 0.0
    b.array[:] = values.ravel()
    solver = PETSc.KSP().create(MPI.COMM_WORLD)
    solver.setOperators(A)
    solver.setType("preonly")
    solver.getPC().setType("cholesky")
    solver.getPC().setFactorSolverType("mumps")
    # Threads of OpenMP inside MUMPS, where it was built with them.
    PETSc.Options()["mat_mumps_icntl_16"] = record.facts["threads"]
    solver.setFromOptions()
    solution = fem.Function(V)
    solver.solve(b, solution.vector)
    record.stage("solve")
    W = fem.TensorFunctionSpace(mesh, ("DG", 1))
    stresses = fem.Function(W)
    stresses.interpolate(fem.Expression(stress(solution), W.element.interpolation_points()))
    record.stage("stress")
    record.facts["version"] = dolfinx.__version__
    record.write(out, solution.x.array.reshape(-1, 3)[node], stresses.x.array)


if __name__ == "__main__":
    main()
