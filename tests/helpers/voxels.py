"""The built-in sacrum as voxels, and images of it in every format, written by the libraries that people use."""

import struct
from functools import cache
from pathlib import Path

import numpy as np

from sacrofem import reference_mesh

H_MM = 1.5
MARGIN_MM = 12.0
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@cache
def sacrum(name="sacrum-tiny-intact", h=H_MM):
    """(ni, nj, nk) whether a voxel's centre lies in the mesh, and the affine to LPS mm; axes run right, front, top."""
    mesh = reference_mesh(name)
    low, high = mesh.points.min(axis=0) - MARGIN_MM, mesh.points.max(axis=0) + MARGIN_MM
    count = np.ceil((high - low) / h).astype(int)
    inside = np.zeros(count, bool)
    for corners in mesh.points[mesh.tets]:
        first = np.maximum(np.floor((corners.min(axis=0) - low) / h).astype(int), 0)
        last = np.ceil((corners.max(axis=0) - low) / h).astype(int) + 1
        box = np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(first, last, strict=True)], indexing="ij"), -1)
        share = np.linalg.solve((corners[1:] - corners[0]).T, (low + h * box.reshape(-1, 3) - corners[0]).T)
        there = ((share > -1e-9).all(axis=0) & (share.sum(axis=0) < 1 + 1e-9)).reshape(box.shape[:3])
        inside[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] |= there
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = low
    inside.setflags(write=False)
    return inside, affine


def write_nifti(path, values, affine, *, slope=None, intercept=0.0, codes=(1, 1), names=None, two=False):
    """NIfTI of an affine to LPS mm; qform code and sform code; names as TotalSegmentator leaves them."""
    import nibabel

    image = (nibabel.Nifti2Image if two else nibabel.Nifti1Image)(values, LPS @ affine, dtype=values.dtype)
    image.set_qform(LPS @ affine if codes[0] else None, codes[0])
    image.set_sform(LPS @ affine if codes[1] else None, codes[1])
    if names:
        table = "".join(f'<Label Key="{key}" Red="1"><![CDATA[{name}]]></Label>\n' for key, name in names.items())
        table = f"<CaretExtension><LabelTable>{table}</LabelTable></CaretExtension>"
        xml = f'<?xml version="1.0" encoding="UTF-8"?> {table}\n '
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, xml.encode()))
    plain = Path(path).with_name("plain.nii")
    nibabel.save(image, plain)
    raw = bytearray(plain.read_bytes())
    plain.unlink()
    if slope is not None:
        struct.pack_into("<2d" if two else "<2f", raw, 176 if two else 112, slope, intercept)
    if str(path).endswith(".gz"):
        import gzip

        raw = gzip.compress(bytes(raw), 1)
    Path(path).write_bytes(raw)
    return path


def write_nrrd(path, values, affine, **fields):
    """NRRD with space directions; further fields of its header."""
    import nrrd

    directions = affine[:3, :3].T
    if values.ndim == 4:
        directions = np.concatenate([np.full((1, 3), np.nan), directions])
    header = {
        "space": "left-posterior-superior", "space directions": directions, "space origin": affine[:3, 3],
        "kinds": ["list"] * (values.ndim - 3) + ["domain"] * 3, "encoding": "gzip", **fields,
    }  # fmt: skip
    nrrd.write(str(path), values, header, index_order="F")
    return path


def write_metaimage(path, values, affine, *, slope=None, intercept=0.0, data="LOCAL"):
    """MetaImage by hand: ITK writes no slope, and no axes that are not orthogonal."""
    kinds = {"i2": "MET_SHORT", "u2": "MET_USHORT", "u1": "MET_UCHAR", "f4": "MET_FLOAT", "i4": "MET_INT"}
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    lines = [
        "ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False",
        "TransformMatrix = " + " ".join(repr(float(x)) for x in (affine[:3, :3] / spacing).T.ravel()),
        "Offset = " + " ".join(repr(float(x)) for x in affine[:3, 3]),
        "ElementSpacing = " + " ".join(repr(float(x)) for x in spacing),
        "DimSize = " + " ".join(map(str, values.shape)), f"ElementType = {kinds[values.dtype.str[1:]]}",
    ]  # fmt: skip
    if slope is not None:
        lines += [f"ElementToIntensityFunctionSlope = {slope}", f"ElementToIntensityFunctionOffset = {intercept}"]
    lines.append(f"ElementDataFile = {data}\n")
    content = values.astype(values.dtype.newbyteorder("<")).tobytes(order="F")
    Path(path).write_bytes("\n".join(lines).encode() + (content if data == "LOCAL" else b""))
    if data != "LOCAL":
        (Path(path).parent / data).write_bytes(content)
    return path


def write_dicom(
    folder, values, affine, *, slope=1.0, intercept=0.0, uid="1.2.826.0.1.1", number=1, description="", names="s{}.dcm",
    **elements,
):  # fmt: skip
    """A series of slices along k, at the positions of an affine to LPS mm that may be sheared in k."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    axes = affine[:3, :2] / spacing[:2]
    for k in range(values.shape[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = f"{uid}.{k + 1}"
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, f"{uid}.{k + 1}"
        data.Modality, data.SeriesInstanceUID, data.StudyInstanceUID = "CT", uid, "1.2.826.0.1"
        data.SeriesNumber, data.SeriesDescription, data.InstanceNumber = number, description, k + 1
        data.ImageOrientationPatient = [f"{x:.10g}" for x in axes.T.ravel()]
        data.ImagePositionPatient = [f"{x:.10g}" for x in affine[:3, 2] * k + affine[:3, 3]]
        data.PixelSpacing = [f"{spacing[1]:.10g}", f"{spacing[0]:.10g}"]
        data.Columns, data.Rows = values.shape[:2]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, int(values.dtype.kind == "i")
        if slope is not None:
            data.RescaleSlope, data.RescaleIntercept = f"{slope:g}", f"{intercept:g}"
        data.PixelData = (
            np.ascontiguousarray(values[:, :, k].T).astype("<i2" if values.dtype.kind == "i" else "<u2").tobytes()
        )
        for key, value in elements.items():
            if value is None:
                delattr(data, key)
            else:
                setattr(data, key, value)
        pydicom.dcmwrite(folder / names.format(k), data, enforce_file_format=True)
    return folder


def write(kind, folder, name, values, affine, *, slope=None, intercept=0.0):
    """An image in one of the formats; NRRD carries no slope."""
    if kind == "dicom":
        return write_dicom(folder / name, values, affine, slope=1.0 if slope is None else slope, intercept=intercept)
    if kind in (".mha", ".mhd"):
        data = "LOCAL" if kind == ".mha" else f"{name}.raw"
        return write_metaimage(folder / f"{name}{kind}", values, affine, slope=slope, intercept=intercept, data=data)
    if kind in (".nii", ".nii.gz"):
        return write_nifti(folder / f"{name}{kind}", values, affine, slope=slope, intercept=intercept)
    return write_nrrd(folder / f"{name}{kind}", values, affine)
