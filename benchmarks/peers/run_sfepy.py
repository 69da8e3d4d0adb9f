"""SfePy: dw_lin_elastic on ten-node tets; Pardiso where pypardiso is installed, else SciPy's SuperLU."""

from common import Record, arguments, lame, matching, read_model


def main() -> None:
    folder, out = arguments()
    record = Record()
    import numpy as np
    import sfepy
    from scipy.sparse.linalg import spsolve
    from sfepy.base.base import output
    from sfepy.discrete import Equation, Equations, FieldVariable, Integral, Material, Problem
    from sfepy.discrete.conditions import Conditions, EssentialBC
    from sfepy.discrete.fem import FEDomain, Field, Mesh
    from sfepy.terms import Term

    try:
        from pypardiso import spsolve

        record.facts["solver"] = "Pardiso"
    except ImportError:
        record.facts["solver"] = "SuperLU"
    output.set_output(quiet=True)
    record.stage("import")
    model = read_model(folder)
    record.stage("read")
    points, tets = model.nodes[: model.vertices], model.tets[:, :4].astype(np.int32)
    mesh = Mesh.from_data("wedge", points, None, [tets], [np.zeros(len(tets), np.int32)], ["3_4"])
    domain = FEDomain("domain", mesh)
    omega = domain.create_region("Omega", "all")
    held = np.flatnonzero(np.isin(np.arange(len(points)), model.fixed))
    clamped = domain.create_region(
        "Clamped", "vertices by held", "facet", functions={"held": lambda coors, domain=None: held}
    )
    field = Field.from_args("displacement", np.float64, "vector", omega, approx_order=2)
    u, v = FieldVariable("u", "unknown", field), FieldVariable("v", "test", field, primary_var_name="u")
    lam, mu = lame(model.youngs, model.poisson)
    integral = Integral("i", order=2)
    stiffness = np.zeros((len(tets), 6, 6))
    stiffness[:, :3, :3] = lam[:, None, None]
    stiffness[:, range(6), range(6)] += mu[:, None] * [2, 2, 2, 1, 1, 1]

    def moduli(ts, coors, mode=None, **_):
        return {"D": np.repeat(stiffness, len(coors) // len(tets), axis=0)} if mode == "qp" else None

    material = Material("m", function=moduli)
    term = Term.new("dw_lin_elastic(m.D, v, u)", integral, omega, m=material, v=v, u=u)
    problem = Problem("elasticity", equations=Equations([Equation("balance", term)]))
    problem.set_bcs(ebcs=Conditions([EssentialBC("clamped", clamped, {"u.all": 0.0})]))
    problem.update_materials()
    problem.time_update()
    K = problem.equations.evaluate(mode="weak", dw_mode="matrix", asm_obj=problem.mtx_a)
    record.stage("assemble")
    node = matching(field.get_coor(), model.nodes)
    force = np.zeros((len(model.nodes), 3))
    force[node] = model.force
    variables = problem.get_variables()
    variables.init_state()
    free = spsolve(K.tocsr(), variables.reduce_vec(force.ravel()))
    variables.set_state(free, reduced=True)
    record.stage("solve")
    stress = problem.evaluate("ev_cauchy_stress.2.Omega(m.D, u)", mode="el_avg", m=material, u=variables["u"])
    record.stage("stress")
    record.facts["version"] = sfepy.__version__
    record.write(out, variables["u"]().reshape(-1, 3)[node], stress)


if __name__ == "__main__":
    main()
