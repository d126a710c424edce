"""The tables of the console's views, held to the contracts."""

TABLES = """async () => {
  const [{WORK}, {REGISTRY, ACCOUNT, ADMINISTRATION, CHAINED}, {fieldsOf}, {ENUMS}] =
    await Promise.all(["work", "registry", "values", "labels"].map(
      name => import(`/pages/console-${name}.js`)));
  const some = {name: "some/1", member: "members/1"};
  const action = each => ({
    ...each, fields: fieldsOf(each.fields), shows: fieldsOf(each.shows), then: null,
    given: Object.keys(each.body?.(some, some) ?? {}),
    upload: each.upload && {...each.upload, tally: fieldsOf(each.upload.tally)},
  });
  const list = each => ({
    ...each, columns: fieldsOf(each.columns), filters: fieldsOf(each.filters),
    rowActions: (each.rowActions ?? []).map(action),
  });
  const views = [...WORK, ...REGISTRY, ...ACCOUNT, ...ADMINISTRATION].map(view => ({
    ...view, list: list(view.list), related: (view.related ?? []).map(list),
    detail: view.detail && {...view.detail, fields: fieldsOf(view.detail.fields)},
    actions: [...view.actions ?? [], ...view.create ?? []].map(action),
  }));
  return JSON.parse(JSON.stringify({views, chained: CHAINED.map(action), enums: ENUMS}));
}"""


class Contracts:
    """The OpenAPI document, with each varying segment of a path as a star."""

    def __init__(self, document):
        self.schemas = document["components"]["schemas"]
        self.routes = {}
        for path, verbs in document["paths"].items():
            star = "/".join(
                segment if not segment.startswith("{") else "*" + segment.split("}", 1)[1]
                for segment in path.split("/"))
            for verb, route in verbs.items():
                self.routes[verb.upper(), star] = route
                # Each method is served under its own name, too.
                self.routes.setdefault(("POST", route["x-grpc-method"]), route)

    def resolve(self, schema):
        while schema and ("$ref" in schema or "allOf" in schema):
            schema = self.schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema \
                else schema["allOf"][0]
        return schema

    def at(self, schema, path):
        """The schema of a field; None where there is no such field."""
        for key in path.split("."):
            schema = (self.resolve(schema) or {}).get("properties", {}).get(key)
        return self.resolve(schema)

    @staticmethod
    def content(part):
        return next(iter(part["content"].values()))["schema"]

    def request(self, route):
        return self.content(route["requestBody"])

    def answer(self, route):
        return self.content(route["responses"]["200"])

    @staticmethod
    def role(route):
        """The least role of staff; None where there is none to state."""
        return next((one.get("role", "viewer") for one in route["x-callers"]
                     if one["kind"] == "staff"), None)


def wrong_kinds(contracts, enums, schema, fields):
    """Fields that the schema lacks, or whose enum is another one."""
    for field in fields:
        found = contracts.at(schema, field["path"])
        if field["label"][0] == field["path"]:
            yield f"no words for {field['path']}"
        kind, _, prefix = field["kind"].partition(":")
        if found is None:
            yield f"no field {field['path']}"
        elif kind in ("enum", "enums") and prefix in enums:
            values = contracts.resolve(found.get("items", found)).get("enum")
            if values and f"{prefix}_UNSPECIFIED" not in values:
                yield f"{field['path']} is no {prefix}"


def wrong_in_list(contracts, enums, spec, role):
    route = contracts.routes.get(("GET", spec["path"]))
    if route is None:
        yield f"no GET {spec['path']}"
        return
    if contracts.role(route) != spec.get("role", role).lower():
        yield f"{spec['path']} needs {contracts.role(route)}"
    items = contracts.at(contracts.answer(route), spec["items"])
    if items is None:
        yield f"{spec['path']} has no {spec['items']}"
        return
    yield from wrong_kinds(contracts, enums, items["items"], spec["columns"])
    query = {one["name"] for one in route.get("parameters", []) if one["in"] == "query"}
    asked = {one["path"] for one in spec["filters"]}
    if not spec.get("unpaged"):
        asked |= {"pageSize", "pageToken"}
        if contracts.at(contracts.answer(route), "nextPageToken") is None:
            yield f"{spec['path']} has no pages"
    if asked - query:
        yield f"{spec['path']} has no filter {asked - query}"


def wrong_in_action(contracts, enums, action):
    verb = action.get("verb", "POST")
    route = contracts.routes.get((verb, action["path"]))
    if route is None:
        yield f"no {verb} {action['path']}"
        return
    if contracts.role(route) != action.get("role", "viewer").lower():
        yield f"{action['id']} needs {contracts.role(route)}"
    yield from wrong_kinds(contracts, enums, contracts.answer(route), action["shows"])
    if verb == "GET":
        query = {one["name"] for one in route["parameters"]}
        yield from (f"{action['id']} has no {one}" for one in action["given"] if one not in query)
        return
    request = contracts.request(route)
    has = lambda path: contracts.at(request, path) is not None  # noqa: E731
    if has("requestId") == bool(action.get("plain")):
        yield f"{action['id']}: a request id is {'lacking' if has('requestId') else 'unknown'}"
    wrap = action.get("wrap")
    inside = contracts.at(request, wrap) if wrap else request
    wrapped = [one for one in action["fields"] if not one["isOutside"]]
    outside = [one for one in action["fields"] if one["isOutside"]]
    yield from wrong_kinds(contracts, enums, inside, wrapped)
    yield from wrong_kinds(contracts, enums, request, outside)
    needed = [*action["given"], *(["updateMask"] if action.get("mask") else [])]
    yield from (f"{action['id']} has no {name}" for name in needed if not has(name))
    if action.get("etag") and contracts.at(inside, "etag") is None:
        yield f"{action['id']} has no etag"
    if "upload" in action:
        yield from wrong_in_upload(contracts, enums, route, action["upload"])


def wrong_in_upload(contracts, enums, route, upload):
    request, answer = contracts.request(route), contracts.answer(route)
    row, made = request, contracts.at(answer, f"result.{upload['item']}")
    if upload.get("isUnkeyed"):  # rows and results of a roster go in messages of many
        row = contracts.at(request, "rows.rows")["items"]
        made = contracts.at(answer, "result.results.results")["items"]
    yield from wrong_kinds(contracts, enums, row, [
        {**one, "label": [one["heading"]]} for one in upload["columns"] if one["path"] != "-"])
    yield from wrong_kinds(contracts, enums, made, upload["tally"])
    if upload.get("hasDryRun") and contracts.at(request, "validateOnly") is None:
        yield "no dry run"


def wrong_in_views(contracts, tables):
    """Whatever of the tables is not as the contracts say."""
    wrong = []
    for view in tables["views"]:
        enums, role = tables["enums"], view.get("role", "VIEWER")
        for spec in (view["list"], *view["related"]):
            wrong += wrong_in_list(contracts, enums, spec, role)
            for action in spec["rowActions"]:
                wrong += wrong_in_action(contracts, enums, action)
        detail = view.get("detail")
        if detail and "path" in detail:
            route = contracts.routes.get(("GET", detail["path"]))
            item = route and contracts.at(contracts.answer(route), detail["item"])
            wrong += wrong_kinds(contracts, enums, item, detail["fields"])
        elif detail:
            listed = contracts.answer(contracts.routes["GET", view["list"]["path"]])
            item = contracts.at(listed, view["list"]["items"])["items"]
            wrong += wrong_kinds(contracts, enums, item, detail["fields"])
        for action in view["actions"]:
            wrong += wrong_in_action(contracts, enums, action)
    for action in tables["chained"]:
        wrong += wrong_in_action(contracts, tables["enums"], action)
    return wrong
