"""The tenant whose data it is when nobody says otherwise."""

from django.db import migrations


def create_default_tenant(apps, schema_editor):
    apps.get_model("registry", "Tenant").objects.get_or_create(slug="default", defaults={"name": "default"})


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_card_of_same_tenant")]

    operations = [migrations.RunPython(create_default_tenant, migrations.RunPython.noop)]
