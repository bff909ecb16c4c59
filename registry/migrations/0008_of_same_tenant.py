"""Nodes and cards that something refers to belong to its tenant; Django's own foreign keys can't say so."""

from django.db import migrations

FOREIGN_KEYS = {
    "physical_gpu_set_node_of_tenant": ("registry_physicalgpu", "set_node_id", "registry_node"),
    "physical_gpu_seen_node_of_tenant": ("registry_physicalgpu", "seen_node_id", "registry_node"),
    "compute_resource_set_card_of_tenant": ("registry_computeresource", "set_physical_id", "registry_physicalgpu"),
    "compute_resource_seen_card_of_tenant": ("registry_computeresource", "seen_physical_id", "registry_physicalgpu"),
    "compute_resource_seen_node_of_tenant": ("registry_computeresource", "seen_node_id", "registry_node"),
}
ADD = """
    ALTER TABLE {table} ADD CONSTRAINT {name}
    FOREIGN KEY (tenant_id, {column}) REFERENCES {target} (tenant_id, id)
    DEFERRABLE INITIALLY DEFERRED
"""
FORMER = "compute_resource_card_of_tenant"


class Migration(migrations.Migration):
    dependencies = [("registry", "0007_effective_values")]

    operations = [
        migrations.RunSQL(
            sql=f"ALTER TABLE registry_computeresource DROP CONSTRAINT {FORMER}",
            reverse_sql=ADD.format(
                table="registry_computeresource",
                name=FORMER,
                column="set_physical_id",
                target="registry_physicalgpu",
            ),
        ),
        *(
            migrations.RunSQL(
                sql=ADD.format(table=table, name=name, column=column, target=target),
                reverse_sql=f"ALTER TABLE {table} DROP CONSTRAINT {name}",
            )
            for name, (table, column, target) in FOREIGN_KEYS.items()
        ),
    ]
