"""A whole hand-off as a playbook, with every field of every kind stated."""

from .site import APPLICATION, BOT_ID

PLAYBOOK = f"""
bot_users:
  - name: Health Bot
    application_id: {APPLICATION}
    bot_application_id: {BOT_ID}
    email: bot@contoso.example
    roles: [Omnichannel agent]
    capacity: 500
queues:
  - name: Health bot
    description: First line.
    type: messaging
    priority: 7
    assignment: highest capacity
    members: [Health Bot]
  - name: Nurses
    members: [nurse.one@contoso.example]
workstreams:
  - name: Patient chat
    fallback_queue: Nurses
    context_variables:
      - {{name: Topic, type: text, display_name: What it is about}}
      - {{name: Severity, type: number}}
      - {{name: Unused, type: text}}
    routing_rules:
      - {{name: Nurse, when: {{Topic: Nurse}}, queue: Nurses}}
      - {{name: Urgent, when: {{variable: Severity, operator: at least, value: 7}}, queue: Nurses}}
      - {{name: Others, when: {{variable: Topic, operator: has a value}}, queue: Nurses}}
      - {{name: Everyone, queue: Health bot}}
"""
