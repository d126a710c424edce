"""Codes of organizations, read back by a reader that no one here wrote (ZXing)."""

import io
import re

import grpc
import pytest
import zxingcpp
from PIL import Image

from people import People, enrollment, request_id
from stubs import members

PEOPLE = People(series=12)


@pytest.fixture(scope="module")
def staff(dev):
    return dev.client("staff")


@pytest.fixture(scope="module")
def code(staff):
    """A code of a union that takes individuals."""
    listed = staff.members.ListOrganizations(members.ListOrganizationsRequest(
        kinds=[members.ORGANIZATION_KIND_TOWNSHIP_UNION])).organizations
    return staff.members.IssueOrganizationCode(members.IssueOrganizationCodeRequest(
        request_id=request_id(), organization=listed[0].name, campaign="集中入会")).code


def rendered(staff, code, format, pixels=0):
    return staff.members.RenderOrganizationCode(members.RenderOrganizationCodeRequest(
        name=code.name, format=format, module_pixels=pixels))


def read(image):
    [found] = zxingcpp.read_barcodes(image)
    assert found.format == zxingcpp.BarcodeFormat.QRCode
    return found.text


def drawn(svg):
    """The SVG's image, eight pixels a module: nothing but a background and runs of modules."""
    [side] = re.findall(r'viewBox="0 0 (\d+) \1"', svg)
    [path] = re.findall(r'<path d="([^"]*)"', svg)
    image = Image.new("L", (int(side), int(side)), 255)
    assert re.fullmatch(r"(M\d+ \d+h\d+v1h-\d+z)+", path)
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1", path):
        for step in range(int(length)):
            image.putpixel((int(x) + step, int(y)), 0)
    return image.resize((8 * int(side), 8 * int(side)), Image.Resampling.NEAREST)


@pytest.mark.parametrize("pixels", [0, 1, 2, 32])
def test_a_png_is_read_as_the_code(staff, code, pixels):
    answer = rendered(staff, code, members.CODE_FORMAT_PNG, pixels)
    assert answer.content_type == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert image.width == image.height and image.width % (pixels or 8) == 0
    if pixels == 1:  # below what the reader takes for a module
        image = image.resize((4 * image.width, 4 * image.width), Image.Resampling.NEAREST)
    assert read(image.convert("L")) == (code.link or code.text)


def test_an_svg_is_read_as_the_code(staff, code):
    answer = rendered(staff, code, members.CODE_FORMAT_SVG)
    assert answer.content_type == "image/svg+xml"
    assert read(drawn(answer.content.decode())) == (code.link or code.text)


def test_what_is_read_resolves_and_enrolls(dev, staff, code):
    image = Image.open(io.BytesIO(rendered(staff, code, members.CODE_FORMAT_PNG).content))
    text = read(image.convert("L"))
    partner = dev.client("partner")
    found = partner.members.ResolveOrganizationCode(
        members.ResolveOrganizationCodeRequest(text=text))
    assert found.organization.name == code.organization
    assert list(found.actions) == [members.CODE_ACTION_QUERY, members.CODE_ACTION_JOIN]
    person = PEOPLE.next()
    partner.members.SubmitEnrollment(enrollment(person, organization_code=text))
    [member] = staff.members.ListMembers(
        members.ListMembersRequest(resident_id=person.resident_id)).members
    assert member.organization == code.organization and member.campaign == "集中入会"


def test_a_revoked_code_is_not_rendered(staff, code):
    other = staff.members.IssueOrganizationCode(members.IssueOrganizationCodeRequest(
        request_id=request_id(), organization=code.organization)).code
    staff.members.RevokeOrganizationCode(members.RevokeOrganizationCodeRequest(
        request_id=request_id(), name=other.name))
    with pytest.raises(grpc.RpcError) as refused:
        rendered(staff, other, members.CODE_FORMAT_PNG)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
