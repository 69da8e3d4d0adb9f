"""Plain scikit-fem: its vector P2 form, and its conjugate gradients with the diagonal where that ends in time."""

from common import Record, arguments, matching, read_model


def main() -> None:
    folder, out = arguments()
    record = Record(solver="conjugate gradients, diagonal")
    import numpy as np
    import skfem
    from skfem import condense, solve
    from skfem.helpers import sym_grad
    from skfem_form import assembled, stress

    record.stage("import")
    model = read_model(folder)
    record.stage("read")
    form = assembled(model.nodes, model.tets, model.youngs, model.poisson)
    basis = form.basis
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

    u = solve(*condense(form.matrix, f, D=dofs[model.fixed].ravel()), solver=solver)
    record.stage("solve")
    stresses = np.asarray(stress(sym_grad(basis.interpolate(u)), form.moduli))
    record.stage("stress")
    record.facts.update(version=skfem.__version__, iterations=count)
    record.write(out, u[dofs], stresses)


if __name__ == "__main__":
    main()
