"""What a store of members may never hold, whoever was killed (SPEC §9): each judge is a query whose
rows are violations, and a change that makes one, by which the judge is tested itself."""

import dataclasses

from stubs import members

LIVE = (members.MEMBERSHIP_STATE_POOLED, members.MEMBERSHIP_STATE_ACTIVE,
        members.MEMBERSHIP_STATE_RETAINED)
_LIVE = ", ".join(map(str, LIVE))
_DISSOLVED = members.ORGANIZATION_STATE_DISSOLVED


@dataclasses.dataclass(frozen=True)
class Judge:
    claim: str
    violations: str
    change: str


def _one_open(noun, person, state):
    """Rows that wait, and the table whose key is the person, name the same: so a person has one."""
    return Judge(
        f"a person has one open {noun}",
        f"""SELECT t.id FROM {noun}s AS t
            LEFT JOIN open_{noun}s AS o ON o.{noun}_id = t.id AND o.{person} = t.{person}
            WHERE (t.state = {state}) <> (o.{noun}_id IS NOT NULL)""",
        f"""UPDATE {noun}s SET state = {state}
            WHERE id = (SELECT min(id) FROM {noun}s WHERE state <> {state})""")


JUDGES = [
    _one_open("enrollment", "person_id", members.ENROLLMENT_STATE_PENDING),
    _one_open("transfer", "member_id", members.TRANSFER_STATE_REQUESTED),
    _one_open("correction", "member_id", members.CORRECTION_STATE_REQUESTED),
    Judge(
        "nobody asks for a transfer to their own union",
        f"""SELECT t.id FROM transfers AS t JOIN memberships AS m ON m.id = t.member_id
            WHERE t.state = {members.TRANSFER_STATE_REQUESTED}
            AND t.to_id = m.managing_organization_id""",
        f"""UPDATE transfers SET state = {members.TRANSFER_STATE_REQUESTED}, to_id = (
            SELECT managing_organization_id FROM memberships WHERE id = transfers.member_id)"""),
    Judge(
        "only people in a pool have an open case",
        f"""SELECT c.id FROM pool_cases AS c JOIN memberships AS m ON m.id = c.member_id
            WHERE c.state IN ({members.POOL_CASE_STATE_WAITING}, {members.POOL_CASE_STATE_ASSIGNED})
            AND m.state <> {members.MEMBERSHIP_STATE_POOLED}""",
        f"""UPDATE pool_cases SET state = {members.POOL_CASE_STATE_ASSIGNED}
            WHERE id = (SELECT min(id) FROM pool_cases
              WHERE state = {members.POOL_CASE_STATE_CONFIRMED})"""),
    Judge(
        "a case is dispatched once",
        """SELECT case_id FROM pool_case_log WHERE action IN ('ASSIGNED', 'CONFIRMED')
           GROUP BY case_id, action HAVING count(*) > 1""",
        """INSERT INTO pool_case_log SELECT case_id, version + 9, action, state, custodian_id,
           receiver_id, due_day, actor, created FROM pool_case_log WHERE action = 'ASSIGNED'"""),
    Judge(
        "the tree has no ring: a path is the parent's and the own identifier",
        """SELECT o.id FROM organizations AS o LEFT JOIN organizations AS p ON p.id = o.parent_id
           WHERE o.path <> coalesce(p.path, '') || o.id""",
        """UPDATE organizations SET parent_id = (
             SELECT min(below.id) FROM organizations AS below
             WHERE below.parent_id = organizations.id)
           WHERE parent_id IS NULL"""),
    Judge(
        "an organization knows how many are below it",
        f"""SELECT o.id FROM organizations AS o WHERE o.child_count <> (
            SELECT count(*) FROM organizations AS below
            WHERE below.parent_id = o.id AND below.state <> {_DISSOLVED})""",
        "UPDATE organizations SET child_count = child_count + 1 WHERE parent_id IS NULL"),
    Judge(
        "nobody is a live member of what is dissolved",
        f"""SELECT m.id FROM memberships AS m
            JOIN organizations AS o ON o.id = m.managing_organization_id
            WHERE o.state = {_DISSOLVED} AND m.state IN ({_LIVE})""",
        f"""UPDATE organizations SET state = {_DISSOLVED} WHERE id = (
            SELECT min(managing_organization_id) FROM memberships WHERE state IN ({_LIVE}))"""),
    Judge(
        "nothing is open below what is dissolved",
        f"""SELECT o.id FROM organizations AS o JOIN organizations AS p ON p.id = o.parent_id
            WHERE p.state = {_DISSOLVED} AND o.state <> {_DISSOLVED}""",
        f"UPDATE organizations SET state = {_DISSOLVED} WHERE parent_id IS NULL"),
    Judge(
        "a member is counted once, where they are",
        f"""SELECT place FROM (
              SELECT organization_id AS place, state, members AS counted FROM membership_counts
              UNION ALL SELECT managing_organization_id, state, -1 FROM memberships) AS entries
            WHERE state IN ({_LIVE}) GROUP BY place, state HAVING sum(counted) <> 0""",
        f"""UPDATE membership_counts SET members = members + 1
            WHERE state = {members.MEMBERSHIP_STATE_ACTIVE}"""),
    Judge(
        "a unit has as many members as are counted in it",
        """SELECT u.id FROM units AS u WHERE u.members <> (
           SELECT count(*) FROM unit_members AS m WHERE m.unit_id = u.id)""",
        "UPDATE units SET members = members + 1"),
]
