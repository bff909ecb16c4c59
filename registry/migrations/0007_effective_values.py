"""What counts of what was set and seen, as generated columns, with constraints and indexes."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.lookups
import registry.models.facts
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0006_what_was_seen'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='physicalgpu',
            name='former_node',
        ),
        migrations.RemoveField(
            model_name='computeresource',
            name='former_seen_node',
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='model',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_model'), models.Value('')), models.F('seen_model')), output_field=models.CharField(max_length=255)),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='vendor',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_vendor'), models.Value('')), models.F('seen_vendor')), output_field=models.CharField(max_length=255)),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='node',
            field=registry.models.facts.GeneratedForeignKey(expression=django.db.models.functions.comparison.Coalesce(models.F('set_node'), models.F('seen_node')), related_name='physical_gpus', to='registry.node', verbose_name='node'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='memory_total_gb',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce(models.F('set_memory_total_gb'), models.F('seen_memory_total_gb')), output_field=models.FloatField(), verbose_name='memory (GiB)'),
        ),
        migrations.AddField(
            model_name='physicalgpu',
            name='conflicts',
            field=models.GeneratedField(db_persist=True, expression=models.Func(models.Case(models.When(models.Q(models.Q(('set_model', ''), _negated=True), models.Q(('seen_model', ''), _negated=True), models.Q(('set_model', models.F('seen_model')), _negated=True)), then=models.Value('model'))), models.Case(models.When(models.Q(models.Q(('set_vendor', ''), _negated=True), models.Q(('seen_vendor', ''), _negated=True), models.Q(('set_vendor', models.F('seen_vendor')), _negated=True)), then=models.Value('vendor'))), models.Case(models.When(models.Q(('seen_node__isnull', False), ('set_node__isnull', False), models.Q(('set_node', models.F('seen_node')), _negated=True)), then=models.Value('node_id'))), models.Case(models.When(models.Q(('seen_memory_total_gb__isnull', False), ('set_memory_total_gb__isnull', False), models.Q(('set_memory_total_gb', models.F('seen_memory_total_gb')), _negated=True)), then=models.Value('memory_total_gb'))), output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None), template='array_remove(ARRAY[%(expressions)s], NULL)'), output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='physical',
            field=registry.models.facts.GeneratedForeignKey(expression=django.db.models.functions.comparison.Coalesce(models.F('set_physical'), models.F('seen_physical')), related_name='compute_resources', to='registry.physicalgpu', verbose_name='card'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='resource_type',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_resource_type'), models.Value('')), models.F('seen_resource_type')), output_field=models.CharField(max_length=255), verbose_name='type'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='memory_total_gb',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce(models.F('set_memory_total_gb'), models.F('seen_memory_total_gb'), django.db.models.functions.comparison.Cast(django.db.models.functions.comparison.Coalesce(models.Func(django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_mig_profile'), models.Value('')), django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_resource_type'), models.Value('')), models.F('seen_resource_type'))), models.Value('^(?:mig_)?(?:[1-7]c\\.)?[1-7]g\\.([1-9][0-9]{0,3})gb(?:\\+[a-z.]{1,20})?$'), function='substring', output_field=models.TextField()), models.Func(django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_mig_profile'), models.Value('')), django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_resource_type'), models.Value('')), models.F('seen_resource_type'))), models.Value('^mig_([1-9][0-9]{0,3})gb$'), function='substring', output_field=models.TextField())), models.FloatField())), output_field=models.FloatField(), verbose_name='memory (GiB)'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='conflicts',
            field=models.GeneratedField(db_persist=True, expression=models.Func(models.Case(models.When(models.Q(models.Q(('set_resource_type', ''), _negated=True), models.Q(('seen_resource_type', ''), _negated=True), models.Q(('set_resource_type', models.F('seen_resource_type')), _negated=True)), then=models.Value('resource_type'))), models.Case(models.When(models.Q(('seen_physical__isnull', False), ('set_physical__isnull', False), models.Q(('set_physical', models.F('seen_physical')), _negated=True)), then=models.Value('physical_uuid'))), models.Case(models.When(models.Q(('seen_memory_total_gb__isnull', False), ('set_memory_total_gb__isnull', False), models.Q(('set_memory_total_gb', models.F('seen_memory_total_gb')), _negated=True)), then=models.Value('memory_total_gb'))), output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None), template='array_remove(ARRAY[%(expressions)s], NULL)'), output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='mig_profile',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_mig_profile'), models.Value('')), models.Func(django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_resource_type'), models.Value('')), models.F('seen_resource_type')), models.Value('^mig_((?:[1-7]c\\.)?[1-7]g\\.[1-9][0-9]{0,3}gb(?:\\+[a-z.]{1,20})?)$'), function='substring', output_field=models.TextField()), models.Value('')), output_field=models.CharField(max_length=50), verbose_name='MIG profile'),
        ),
        migrations.AddField(
            model_name='computeresource',
            name='sm_share',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce(models.F('set_sm_share'), django.db.models.expressions.CombinedExpression(django.db.models.functions.comparison.Cast(models.Func(django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_mig_profile'), models.Value('')), django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_resource_type'), models.Value('')), models.F('seen_resource_type'))), models.Value('^(?:mig_)?([1-7])(?:c\\.[1-7])?g\\.[1-9][0-9]{0,3}gb(?:\\+[a-z.]{1,20})?$'), function='substring', output_field=models.TextField()), models.DecimalField(decimal_places=18, max_digits=19)), '/', models.Case(models.When(django.db.models.lookups.IsNull(models.Func(django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_mig_profile'), models.Value('')), django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.NullIf(models.F('set_resource_type'), models.Value('')), models.F('seen_resource_type'))), models.Value('(?:^|[_.])(?:1g\\.6|2g\\.12|4g\\.24|2g\\.48|4g\\.96)gb'), function='substring', output_field=models.TextField()), rhs=False), then=models.Value(4)), default=models.Value(7)))), output_field=models.DecimalField(decimal_places=18, max_digits=19), verbose_name='share of SMs'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=models.Q(('set_memory_total_gb__gt', 0), ('set_memory_total_gb__lt', 1000000.0)), name='physical_gpu_memory'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=models.Q(('seen_memory_total_gb__gt', 0), ('seen_memory_total_gb__lt', 1000000.0)), name='physical_gpu_seen_memory'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=models.Q(('compute_capability', ''), ('compute_capability__regex', '^[0-9]{1,3}\\.[0-9]{1,3}$'), _connector='OR'), name='physical_gpu_compute_capability'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=models.Q(('sm_count__gt', 0)), name='physical_gpu_sm_count'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=models.Q(('tflops__gt', 0), ('tflops__lt', 1000000000.0)), name='physical_gpu_tflops'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=models.Q(('tdp_watts__gt', 0), ('tdp_watts__lt', 1000000.0)), name='physical_gpu_tdp'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=models.Q(('pcie_bus_id', ''), ('pcie_bus_id__regex', '^([0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\\.[0-7]$'), _connector='OR'), name='physical_gpu_pcie_bus_id'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.Exact(models.Func(models.F('labels'), function='jsonb_typeof', output_field=models.TextField()), models.Value('object')), name='physical_gpu_labels_object'),
        ),
        migrations.AddConstraint(
            model_name='physicalgpu',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.expressions.NegatedExpression(django.db.models.lookups.Exact(models.Func(models.F('labels'), function='jsonb_typeof', output_field=models.TextField()), models.Value('object'))), django.db.models.lookups.Exact(models.Func(models.F('labels'), models.Value('strict $.* ? (@.type() != "string")'), function='jsonb_path_exists', output_field=models.BooleanField()), models.Value(value=False)), _connector='OR'), name='physical_gpu_labels_texts'),
        ),
        migrations.AddIndex(
            model_name='physicalgpu',
            index=models.Index(fields=['tenant', 'model'], name='physical_gpu_model'),
        ),
        migrations.AddIndex(
            model_name='physicalgpu',
            index=models.Index(condition=models.Q(('conflicts', []), _negated=True), fields=['tenant'], name='physical_gpu_conflicts'),
        ),
        migrations.AddIndex(
            model_name='physicalgpu',
            index=django.contrib.postgres.indexes.GinIndex(fields=['labels'], name='physical_gpu_labels'),
        ),
        migrations.AddConstraint(
            model_name='computeresource',
            constraint=models.CheckConstraint(condition=models.Q(('set_memory_total_gb__gt', 0), ('set_memory_total_gb__lt', 1000000.0)), name='compute_resource_memory'),
        ),
        migrations.AddConstraint(
            model_name='computeresource',
            constraint=models.CheckConstraint(condition=models.Q(('seen_memory_total_gb__gt', 0), ('seen_memory_total_gb__lt', 1000000.0)), name='compute_resource_seen_memory'),
        ),
        migrations.AddConstraint(
            model_name='computeresource',
            constraint=models.CheckConstraint(condition=models.Q(('set_mig_profile', ''), ('set_mig_profile__regex', '^(?:[1-7]c\\.)?[1-7]g\\.[1-9][0-9]{0,3}gb(?:\\+[a-z.]{1,20})?$'), _connector='OR'), name='compute_resource_mig_profile'),
        ),
        migrations.AddConstraint(
            model_name='computeresource',
            constraint=models.CheckConstraint(condition=models.Q(('set_sm_share__gt', 0), ('set_sm_share__lte', 1)), name='compute_resource_sm_share'),
        ),
        migrations.AddConstraint(
            model_name='computeresource',
            constraint=models.CheckConstraint(condition=models.Q(('set_cost_per_hour_usd__gte', 0)), name='compute_resource_cost_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='computeresource',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('retired_at', None), ('retired_by', '')), models.Q(('retired_at__isnull', False), ('retired_by__in', ['operator', 'layout'])), _connector='OR'), name='compute_resource_retired_by'),
        ),
        migrations.AddConstraint(
            model_name='computeresource',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.Exact(models.Func(models.F('labels'), function='jsonb_typeof', output_field=models.TextField()), models.Value('object')), name='compute_resource_labels_object'),
        ),
        migrations.AddConstraint(
            model_name='computeresource',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.expressions.NegatedExpression(django.db.models.lookups.Exact(models.Func(models.F('labels'), function='jsonb_typeof', output_field=models.TextField()), models.Value('object'))), django.db.models.lookups.Exact(models.Func(models.F('labels'), models.Value('strict $.* ? (@.type() != "string")'), function='jsonb_path_exists', output_field=models.BooleanField()), models.Value(value=False)), _connector='OR'), name='compute_resource_labels_texts'),
        ),
        migrations.AddIndex(
            model_name='computeresource',
            index=models.Index(fields=['tenant', 'resource_type'], name='compute_resource_type'),
        ),
        migrations.AddIndex(
            model_name='computeresource',
            index=models.Index(condition=models.Q(('conflicts', []), _negated=True), fields=['tenant'], name='compute_resource_conflicts'),
        ),
        migrations.AddIndex(
            model_name='computeresource',
            index=django.contrib.postgres.indexes.GinIndex(fields=['labels'], name='compute_resource_labels'),
        ),
        migrations.AddConstraint(
            model_name='resourcecontext',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_by', 'operator'), _negated=True), fields=('resource', 'user_label', 'hostname', 'pod', 'process_id'), name='resource_context_one_per_holder', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='resourcecontext',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('detached_at', None), ('ended_by', '')), models.Q(('detached_at__isnull', False), ('ended_by__in', ['operator', 'successor', 'silence'])), _connector='OR'), name='resource_context_ended_by'),
        ),
        migrations.AddIndex(
            model_name='resourcecontext',
            index=models.Index(fields=['resource', 'attached_at'], name='resource_context_of_resource'),
        ),
        migrations.AddIndex(
            model_name='resourcecontext',
            index=models.Index(condition=models.Q(('detached_at', None)), fields=['resource'], name='resource_context_open'),
        ),
        migrations.AddIndex(
            model_name='resourcecontext',
            index=models.Index(fields=['hostname', 'attached_at'], name='resource_context_hostname'),
        ),
        migrations.AddIndex(
            model_name='resourcecontext',
            index=models.Index(condition=models.Q(('pod', ''), _negated=True), fields=['pod', 'attached_at'], name='resource_context_pod'),
        ),
    ]
