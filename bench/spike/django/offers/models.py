"""The table of the origin under test, as Django sees it."""

from django.db import models


class Offer(models.Model):
    user_id = models.BigIntegerField(primary_key=True)
    title = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    until = models.DateField()

    class Meta:
        db_table = "offers"
        managed = False
