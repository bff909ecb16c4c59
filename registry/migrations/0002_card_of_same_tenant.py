"""A resource's card belongs to the resource's tenant; Django's own foreign key can't say so."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql="""
                ALTER TABLE registry_computeresource
                ADD CONSTRAINT compute_resource_card_of_tenant
                FOREIGN KEY (tenant_id, physical_id) REFERENCES registry_physicalgpu (tenant_id, id)
                DEFERRABLE INITIALLY DEFERRED
            """,
            reverse_sql="ALTER TABLE registry_computeresource DROP CONSTRAINT compute_resource_card_of_tenant",
        )
    ]
