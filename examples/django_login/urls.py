"""One page: a login that answers with who is in, or with what sekisho says."""

from django.contrib.auth import authenticate, login
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt  # an example that is called by programs; a site of yours keeps the check
def sign_in(request):
    user = authenticate(request, username=request.POST.get("username"), password=request.POST.get("password"))
    if user is None:
        return HttpResponse(getattr(request, "sekisho_says", ""), status=401)
    login(request, user)
    return HttpResponse(f"welcome {user.get_username()}")


urlpatterns = [path("login", sign_in)]
