"""FElupe: its solid body on ten-node tets; Pardiso where pypardiso is installed, else SciPy's SuperLU."""

from common import Record, arguments, read_model


def main() -> None:
    folder, out = arguments()
    record = Record()
    import felupe
    import numpy as np
    from scipy.sparse.linalg import spsolve

    try:
        from pypardiso import spsolve

        record.facts["solver"] = "Pardiso"
    except ImportError:
        record.facts["solver"] = "SuperLU"
    record.stage("import")
    model = read_model(folder)
    record.stage("read")
    mesh = felupe.Mesh(model.nodes, model.tets, cell_type="tetra10")
    region = felupe.RegionQuadraticTetra(mesh)
    field = felupe.FieldContainer([felupe.Field(region, dim=3)])
    fixed = np.zeros(len(model.nodes), bool)
    fixed[model.fixed] = True
    boundaries = {"clamped": felupe.Boundary(field[0], mask=fixed)}
    dof0, dof1 = felupe.dof.partition(field, boundaries)
    ext0 = felupe.dof.apply(field, boundaries, dof0)
    # Its material takes a modulus for each cell, but one ratio for all.
    (poisson,) = np.unique(model.poisson)
    body = felupe.SolidBody(felupe.LinearElastic(E=model.youngs, nu=poisson), field)
    K, r = body.assemble.matrix(field), body.assemble.vector(field)
    record.stage("assemble")
    r = r - felupe.PointLoad(field, np.arange(len(model.nodes)), model.force).assemble.vector(field)
    system = felupe.solve.partition(field, K, dof1, dof0, r)
    field += felupe.solve.solve(*system, ext0, solver=spsolve)
    record.stage("solve")
    stress = body.evaluate.cauchy_stress(field)
    record.stage("stress")
    record.facts["version"] = felupe.__version__
    record.write(out, field[0].values, stress)


if __name__ == "__main__":
    main()
