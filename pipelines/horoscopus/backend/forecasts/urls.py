from django.urls import path

from . import views

urlpatterns = [
    path("readings/", views.search),
    path("readings/<str:sign>/", views.reading),
    path("popular/", views.favourites),
]
