"""Plain scikit-fem: its vector P2 form, and its conjugate gradients with the diagonal where that ends in time."""

from common import Record, arguments, lame, matching, read_model


def main() -> None:
    folder, out = arguments()
    record = Record(solver="conjugate gradients, diagonal")
    import numpy as np
    import skfem
    from skfem import Basis, BilinearForm, ElementTetP2, ElementVector, MeshTet, condense, solve
    from skfem.helpers import ddot, eye, sym_grad, trace

    record.stage("import")
    model = read_model(folder)
    record.stage("read")
    mesh = MeshTet(model.nodes[: model.vertices].T.copy(), model.tets[:, :4].T.copy())
    basis = Basis(mesh, ElementVector(ElementTetP2()), intorder=2)
    lam, mu = lame(model.youngs, model.poisson)

    @BilinearForm
    def elasticity(u, v, w):
        strain = sym_grad(u)
        return ddot(w.lam * eye(trace(strain), 3) + 2.0 * w.mu * strain, sym_grad(v))

    at_points = np.ones((1, basis.dx.shape[1]))
    moduli = {"lam": lam[:, None] * at_points, "mu": mu[:, None] * at_points}
    K = elasticity.assemble(basis, **moduli)
    record.stage("assemble")
    # dofs x, y, z of a node are consecutive; nodes by their place
    first = np.arange(0, basis.N, 3)
    node = matching(basis.doflocs[:, first].T, model.nodes)
    dofs = 3 * node[:, None] + np.arange(3)
    f = np.zeros(basis.N)
    f[dofs.ravel()] = model.force.ravel()
    count = 0

    def counted(_):
        nonlocal count
        count += 1

    from scipy.sparse.linalg import LinearOperator, cg

    def solver(A, b, **_):
        diagonal = 1.0 / A.diagonal()
        M = LinearOperator(A.shape, matvec=lambda x: diagonal * x)
        x, failed = cg(A, b, rtol=1e-10, maxiter=20_000, M=M, callback=counted)
        if failed:
            raise SystemExit("conjugate gradients did not converge")
        return x

    u = solve(*condense(K, f, D=dofs[model.fixed].ravel()), solver=solver)
    record.stage("solve")
    strain = sym_grad(basis.interpolate(u))
    stress = moduli["lam"] * eye(trace(strain), 3) + 2.0 * moduli["mu"] * strain
    record.stage("stress")
    record.facts.update(version=skfem.__version__, iterations=count)
    record.write(out, u[dofs], np.asarray(stress))


if __name__ == "__main__":
    main()
