"""What the database refuses, forms and the API refuse with a sentence."""

import django.core.validators
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0009_history'),
    ]

    operations = [
        migrations.AlterField(
            model_name='computeresource',
            name='set_mig_profile',
            field=models.CharField(blank=True, help_text='1g.10gb … Blank: as the type says.', max_length=50, validators=[django.core.validators.RegexValidator('^(?:[1-7]c\\.)?[1-7]g\\.[1-9][0-9]{0,3}gb(?:\\+[a-z.]{1,20})?$', 'Give a MIG profile such as 1g.10gb.')], verbose_name='MIG profile'),
        ),
        migrations.AlterField(
            model_name='computeresource',
            name='set_sm_share',
            field=models.DecimalField(blank=True, decimal_places=18, help_text="Of the card's, above 0 up to 1. Blank: as the profile says.", max_digits=19, null=True, validators=[django.core.validators.MinValueValidator(Decimal('1E-18')), django.core.validators.MaxValueValidator(1)], verbose_name='share of SMs'),
        ),
        migrations.AlterField(
            model_name='historicalcomputeresource',
            name='set_mig_profile',
            field=models.CharField(blank=True, help_text='1g.10gb … Blank: as the type says.', max_length=50, validators=[django.core.validators.RegexValidator('^(?:[1-7]c\\.)?[1-7]g\\.[1-9][0-9]{0,3}gb(?:\\+[a-z.]{1,20})?$', 'Give a MIG profile such as 1g.10gb.')], verbose_name='MIG profile'),
        ),
        migrations.AlterField(
            model_name='historicalcomputeresource',
            name='set_sm_share',
            field=models.DecimalField(blank=True, decimal_places=18, help_text="Of the card's, above 0 up to 1. Blank: as the profile says.", max_digits=19, null=True, validators=[django.core.validators.MinValueValidator(Decimal('1E-18')), django.core.validators.MaxValueValidator(1)], verbose_name='share of SMs'),
        ),
        migrations.AlterField(
            model_name='historicalphysicalgpu',
            name='compute_capability',
            field=models.CharField(blank=True, help_text="Of NVIDIA's: 9.0 …", max_length=7, validators=[django.core.validators.RegexValidator('^[0-9]{1,3}\\.[0-9]{1,3}$', 'Give a compute capability such as 9.0.')]),
        ),
        migrations.AlterField(
            model_name='historicalphysicalgpu',
            name='pcie_bus_id',
            field=models.CharField(blank=True, help_text='As nvidia-smi or lspci names it: 00000000:65:00.0', max_length=16, validators=[django.core.validators.RegexValidator('^([0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\\.[0-7]$', 'Give a PCIe bus id such as 00000000:65:00.0.')], verbose_name='PCIe bus id'),
        ),
        migrations.AlterField(
            model_name='historicalphysicalgpu',
            name='sm_count',
            field=models.PositiveIntegerField(blank=True, help_text='Streaming multiprocessors: 132 …', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='SMs'),
        ),
        migrations.AlterField(
            model_name='historicalphysicalgpu',
            name='tdp_watts',
            field=models.FloatField(blank=True, help_text='700 …', null=True, validators=[django.core.validators.MinValueValidator(5e-324), django.core.validators.MaxValueValidator(999999.9999999999)], verbose_name='TDP (W)'),
        ),
        migrations.AlterField(
            model_name='historicalphysicalgpu',
            name='tflops',
            field=models.FloatField(blank=True, help_text='At the precision that you compare by.', null=True, validators=[django.core.validators.MinValueValidator(5e-324), django.core.validators.MaxValueValidator(999999999.9999999)], verbose_name='TFLOPS'),
        ),
        migrations.AlterField(
            model_name='physicalgpu',
            name='compute_capability',
            field=models.CharField(blank=True, help_text="Of NVIDIA's: 9.0 …", max_length=7, validators=[django.core.validators.RegexValidator('^[0-9]{1,3}\\.[0-9]{1,3}$', 'Give a compute capability such as 9.0.')]),
        ),
        migrations.AlterField(
            model_name='physicalgpu',
            name='pcie_bus_id',
            field=models.CharField(blank=True, help_text='As nvidia-smi or lspci names it: 00000000:65:00.0', max_length=16, validators=[django.core.validators.RegexValidator('^([0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\\.[0-7]$', 'Give a PCIe bus id such as 00000000:65:00.0.')], verbose_name='PCIe bus id'),
        ),
        migrations.AlterField(
            model_name='physicalgpu',
            name='sm_count',
            field=models.PositiveIntegerField(blank=True, help_text='Streaming multiprocessors: 132 …', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='SMs'),
        ),
        migrations.AlterField(
            model_name='physicalgpu',
            name='tdp_watts',
            field=models.FloatField(blank=True, help_text='700 …', null=True, validators=[django.core.validators.MinValueValidator(5e-324), django.core.validators.MaxValueValidator(999999.9999999999)], verbose_name='TDP (W)'),
        ),
        migrations.AlterField(
            model_name='physicalgpu',
            name='tflops',
            field=models.FloatField(blank=True, help_text='At the precision that you compare by.', null=True, validators=[django.core.validators.MinValueValidator(5e-324), django.core.validators.MaxValueValidator(999999999.9999999)], verbose_name='TFLOPS'),
        ),
    ]
