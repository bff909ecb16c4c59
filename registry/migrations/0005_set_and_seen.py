"""Nodes; what operators set stands apart from what was seen; MIG, labels, vendor specs."""

import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.lookups
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0004_api_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='Node',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='nodes', to='registry.tenant')),
                ('name', models.CharField(help_text='As spans call it: gpu.N.node_id.', max_length=255)),
                ('cloud_provider', models.CharField(blank=True, help_text='aws, gcp, azure, on-premises …', max_length=255)),
                ('region', models.CharField(blank=True, help_text='us-east-1 …', max_length=255)),
                ('zone', models.CharField(blank=True, help_text='us-east-1a …', max_length=255)),
                ('machine_type', models.CharField(blank=True, help_text='p5.48xlarge …', max_length=255)),
                ('driver_version', models.CharField(blank=True, help_text='570.86.15 …', max_length=255)),
                ('cuda_version', models.CharField(blank=True, help_text='12.8 …', max_length=255, verbose_name='CUDA version')),
                ('labels', models.JSONField(blank=True, default=dict, help_text='Texts by name: {"team": "search", "rack": "b7"}')),
                ('first_seen', models.DateTimeField(blank=True, editable=False, null=True)),
                ('last_seen', models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GinIndex(fields=['labels'], name='node_labels')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'name'), name='node_name_unique'), models.UniqueConstraint(fields=('tenant', 'id'), name='node_of_tenant'), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='node_name_not_empty'), models.CheckConstraint(condition=models.Q(('last_seen__gte', models.F('first_seen'))), name='node_seen_in_order'), models.CheckConstraint(condition=django.db.models.lookups.Exact(models.Func(models.F('labels'), function='jsonb_typeof', output_field=models.TextField()), models.Value('object')), name='node_labels_object'), models.CheckConstraint(condition=models.Q(django.db.models.expressions.NegatedExpression(django.db.models.lookups.Exact(models.Func(models.F('labels'), function='jsonb_typeof', output_field=models.TextField()), models.Value('object'))), django.db.models.lookups.Exact(models.Func(models.F('labels'), models.Value('strict $.* ? (@.type() != "string")'), function='jsonb_path_exists', output_field=models.BooleanField()), models.Value(value=False)), _connector='OR'), name='node_labels_texts')],
            },
        ),
        migrations.RemoveConstraint(
            model_name='physicalgpu',
            name='physical_gpu_memory',
        ),
        migrations.RemoveIndex(
            model_name='physicalgpu',
            name='physical_gpu_node',
        ),
        migrations.RenameField(
            model_name='physicalgpu',
            old_name='model',
            new_name='set_model',
        ),
        migrations.RenameField(
            model_name='physicalgpu',
            old_name='vendor',
            new_name='set_vendor',
        ),
        migrations.RenameField(
            model_name='physicalgpu',
            old_name='memory_total_gb',
            new_name='set_memory_total_gb',
        ),
        migrations.RenameField(
            model_name='physicalgpu',
            old_name='node_id',
            new_name='former_node',
        ),
        migrations.RemoveConstraint(
            model_name='computeresource',
            name='compute_resource_memory',
        ),
        migrations.RenameField(
            model_name='computeresource',
            old_name='physical',
            new_name='set_physical',
        ),
        # The index keeps its name otherwise, which the generated column's takes.
        migrations.RunSQL(
            sql='ALTER INDEX registry_computeresource_physical_id_2b07b0ec RENAME TO compute_resource_set_physical',
            reverse_sql='ALTER INDEX compute_resource_set_physical RENAME TO registry_computeresource_physical_id_2b07b0ec',
        ),
        migrations.RenameField(
            model_name='computeresource',
            old_name='resource_type',
            new_name='set_resource_type',
        ),
        migrations.RenameField(
            model_name='computeresource',
            old_name='memory_total_gb',
            new_name='set_memory_total_gb',
        ),
        migrations.RenameField(
            model_name='computeresource',
            old_name='seen_node_id',
            new_name='former_seen_node',
        ),
        migrations.RemoveConstraint(
            model_name='resourcecontext',
            name='resource_context_one_open_per_holder',
        ),
        migrations.AlterField(
            model_name='physicalgpu',
            name='set_model',
            field=models.CharField(blank=True, help_text='As NVML names it: NVIDIA H100 80GB HBM3', max_length=255, verbose_name='model'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='seen_model',
            field=models.CharField(blank=True, editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='seen_model_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='physicalgpu',
            name='set_vendor',
            field=models.CharField(blank=True, help_text='NVIDIA, AMD, Apple …', max_length=255, verbose_name='vendor'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='seen_vendor',
            field=models.CharField(blank=True, editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='seen_vendor_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='set_node',
            field=models.ForeignKey(blank=True, help_text='The machine that the card sits in.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.node', verbose_name='node'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='seen_node',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.node'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='seen_node_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='physicalgpu',
            name='set_memory_total_gb',
            field=models.FloatField(blank=True, null=True, verbose_name='memory (GiB)'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='seen_memory_total_gb',
            field=models.FloatField(blank=True, editable=False, null=True, verbose_name='seen memory (GiB)'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='seen_memory_total_gb_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='labels',
            field=models.JSONField(blank=True, default=dict, help_text='Texts by name: {"team": "search", "rack": "b7"}'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='architecture',
            field=models.CharField(blank=True, help_text='Hopper, CDNA 3 …', max_length=255),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='compute_capability',
            field=models.CharField(blank=True, help_text='9.0 …', max_length=7),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='sm_count',
            field=models.PositiveIntegerField(blank=True, help_text='Streaming multiprocessors: 132 …', null=True, verbose_name='SMs'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='tflops',
            field=models.FloatField(blank=True, help_text='At the precision that you compare by.', null=True, verbose_name='TFLOPS'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='tdp_watts',
            field=models.FloatField(blank=True, help_text='700 …', null=True, verbose_name='TDP (W)'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='numa_node',
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='NUMA node'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='pcie_bus_id',
            field=models.CharField(blank=True, help_text='As nvidia-smi or lspci names it: 00000000:65:00.0', max_length=16, verbose_name='PCIe bus id'),
        ),
        migrations.AlterField(
            model_name='computeresource',
            name='set_physical',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.physicalgpu', verbose_name='card'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_physical',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.physicalgpu'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_physical_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='computeresource',
            name='set_resource_type',
            field=models.CharField(blank=True, help_text='full_gpu, mig_40gb, mig_1g.10gb … Blank: as it was seen.', max_length=255, verbose_name='type'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_resource_type',
            field=models.CharField(blank=True, editable=False, max_length=255, verbose_name='seen type'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_resource_type_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='computeresource',
            name='set_memory_total_gb',
            field=models.FloatField(blank=True, null=True, verbose_name='memory (GiB)'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_memory_total_gb',
            field=models.FloatField(blank=True, editable=False, null=True, verbose_name='seen memory (GiB)'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_memory_total_gb_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='computeresource',
            name='seen_model',
            field=models.CharField(blank=True, editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_model_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='computeresource',
            name='seen_vendor',
            field=models.CharField(blank=True, editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_vendor_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_node',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.node'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='seen_node_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='set_mig_profile',
            field=models.CharField(blank=True, help_text='1g.10gb … Blank: as the type says.', max_length=50, verbose_name='MIG profile'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='gi_id',
            field=models.PositiveIntegerField(blank=True, help_text='As nvidia-smi mig -lgi says.', null=True, verbose_name='GPU instance'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='ci_id',
            field=models.PositiveIntegerField(blank=True, help_text='As nvidia-smi mig -lci says.', null=True, verbose_name='compute instance'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='set_sm_share',
            field=models.DecimalField(blank=True, decimal_places=18, help_text="Of the card's, above 0 up to 1. Blank: as the profile says.", max_digits=19, null=True, verbose_name='share of SMs'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='set_cost_per_hour_usd',
            field=models.DecimalField(blank=True, decimal_places=6, help_text="Of this resource. Blank: its share of its card's price.", max_digits=18, null=True, validators=[django.core.validators.MinValueValidator(Decimal('0'))], verbose_name='price per hour (USD)'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='labels',
            field=models.JSONField(blank=True, default=dict, help_text='Texts by name: {"team": "search", "rack": "b7"}'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='retired_at',
            field=models.DateTimeField(blank=True, help_text='Since when it is not there any more.', null=True, verbose_name='retired'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='retired_by',
            field=models.CharField(blank=True, choices=[('operator', 'Operator'), ('layout', 'Layout')], editable=False, max_length=8),
        ),
        migrations.AddField(
            model_name='resourcecontext',
            name='ended_by',
            field=models.CharField(blank=True, choices=[('operator', 'Operator'), ('successor', 'Successor'), ('silence', 'Silence')], editable=False, max_length=9),
        ),
    ]
