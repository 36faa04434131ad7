"""Every question we put to Linear, as one constant each; a test holds all of them against the vendor's schema.

The first node that is nobody's list is cheap; a list costs its `first` times what it holds, and 10,000 points is the
most that one query may cost. So pages of issues are 50 long and show 20 labels each.
"""

_ISSUE = """
fragment IssueParts on Issue {
  id identifier title description url createdAt updatedAt archivedAt trashed
  state { id name type }
  team { id }
  labels(first: 20) { nodes { name } }
}
"""
_PAGE = "pageInfo { hasNextPage endCursor }"

VIEWER = "query Viewer { viewer { id name email admin } organization { name urlKey } }"

TEAMS = f"""
query Teams($after: String) {{
  teams(first: 100, after: $after) {{ nodes {{ id key name retiredAt }} {_PAGE} }}
  organization {{ urlKey }}
}}
"""
TEAM = """
query Team($id: String!) {
  team(id: $id) { id key name retiredAt }
  organization { urlKey }
}
"""
STATES = """
query States($team: String!) {
  team(id: $team) { states(first: 100) { nodes { id name type position } } }
}
"""
LABELS = f"""
query Labels($team: ID!, $after: String) {{
  issueLabels(
    filter: {{ isGroup: {{ eq: false }}, or: [{{ team: {{ id: {{ eq: $team }} }} }}, {{ team: {{ null: true }} }}] }}
    first: 100, after: $after
  ) {{ nodes {{ id name }} {_PAGE} }}
}}
"""
MEMBERS = f"""
query Members($team: String!, $after: String) {{
  team(id: $team) {{ members(first: 100, after: $after) {{ nodes {{ id name active }} {_PAGE} }} }}
}}
"""
PROJECTS = f"""
query Projects($team: String!, $after: String) {{
  team(id: $team) {{ projects(first: 100, after: $after) {{ nodes {{ id name }} {_PAGE} }} }}
}}
"""

ISSUE = f"query Issue($id: String!) {{ issue(id: $id) {{ ...IssueParts }} }}{_ISSUE}"
ISSUES_BY_ID = f"""
query IssuesById($ids: [ID!]!, $team: ID!) {{
  issues(filter: {{ id: {{ in: $ids }}, team: {{ id: {{ eq: $team }} }} }}, includeArchived: true, first: 50) {{
    nodes {{ ...IssueParts }}
  }}
}}
{_ISSUE}"""
CHANGED_ISSUES = f"""
query ChangedIssues($team: ID!, $since: DateTimeOrDuration!, $after: String) {{
  issues(
    filter: {{ updatedAt: {{ gte: $since }}, team: {{ id: {{ eq: $team }} }} }}
    sort: [{{ updatedAt: {{ order: Ascending }} }}]
    includeArchived: true, first: 50, after: $after
  ) {{ nodes {{ ...IssueParts }} {_PAGE} }}
}}
{_ISSUE}"""
CREATE_ISSUE = f"""
mutation CreateIssue($input: IssueCreateInput!) {{
  issueCreate(input: $input) {{ success issue {{ ...IssueParts }} }}
}}
{_ISSUE}"""
UPDATE_ISSUE = f"""
mutation UpdateIssue($id: String!, $input: IssueUpdateInput!) {{
  issueUpdate(id: $id, input: $input) {{ success issue {{ ...IssueParts }} }}
}}
{_ISSUE}"""
UNARCHIVE_ISSUE = "mutation UnarchiveIssue($id: String!) { issueUnarchive(id: $id) { success } }"

CREATE_COMMENT = """
mutation CreateComment($input: CommentCreateInput!) { commentCreate(input: $input) { success } }
"""
ATTACHMENTS = """
query Attachments($id: String!) {
  issue(id: $id) { attachments(first: 100) { nodes { id url metadata } } }
}
"""
ATTACH = """
mutation Attach($input: AttachmentCreateInput!) { attachmentCreate(input: $input) { success } }
"""
DETACH = "mutation Detach($id: String!) { attachmentDelete(id: $id) { success } }"

HOOKS = f"""
query Hooks($after: String) {{
  webhooks(first: 100, after: $after) {{ nodes {{ id url enabled }} {_PAGE} }}
}}
"""
HOOK = """
query Hook($id: String!) {
  webhook(id: $id) { id url enabled failures { createdAt httpStatus responseOrError } }
}
"""
CREATE_HOOK = """
mutation CreateHook($input: WebhookCreateInput!) {
  webhookCreate(input: $input) { success webhook { id url enabled } }
}
"""
UPDATE_HOOK = """
mutation UpdateHook($id: String!, $input: WebhookUpdateInput!) {
  webhookUpdate(id: $id, input: $input) { success webhook { id url enabled } }
}
"""
DELETE_HOOK = "mutation DeleteHook($id: String!) { webhookDelete(id: $id) { success } }"
