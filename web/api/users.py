"""Users, their roles and grants, by API."""

from flask import Blueprint, Response

from accounts.model import User
from web.http.actions.users import (
    add_grant,
    add_user,
    change_user,
    remove_grant,
    remove_user,
    revoke_user_token,
)
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_body, json_response
from web.http.shapes.accounts import (
    Done,
    GrantRow,
    NewGrant,
    NewUser,
    UserChange,
    UserRow,
    Users,
    done,
    grant_row,
    user_list,
    user_row,
)

bp = Blueprint("users", __name__)


@bp.get("/api/users", strict_slashes=False)
@needs("user.manage")
@describes(answer=Users)
def users() -> Response:
    """List the users with their grants and tokens."""
    rows = [_row(user) for user in current_monitor().authenticator.accounts.snapshot.users.values()]
    return json_response(user_list(rows))


@bp.post("/api/users", strict_slashes=False)
@needs("user.manage")
@describes(body=NewUser, answer=UserRow, errors=(409, 422), status=201)
def add() -> Response:
    """Add a user. Once the first account exists, everyone must log in."""
    given = json_body(NewUser)
    user = add_user(given.username, given.password, given.role, given.all_cameras)
    return json_response(_row(user), 201)


@bp.get("/api/users/<int:id>")
@needs("user.manage")
@describes(answer=UserRow, errors=(404,))
def user(id: int) -> Response:
    """Get a user."""
    return json_response(_row(current_monitor().authenticator.accounts.user(id)))


@bp.patch("/api/users/<int:id>")
@needs("user.manage")
@describes(body=UserChange, answer=UserRow, errors=(404, 409, 422))
def change(id: int) -> Response:
    """Change a user's role, password or access. A new role or password ends their sessions."""
    given = json_body(UserChange)
    return json_response(_row(change_user(id, given.role, given.password, given.all_cameras)))


@bp.delete("/api/users/<int:id>")
@needs("user.manage")
@describes(answer=Done, errors=(404, 409))
def remove(id: int) -> Response:
    """Remove a user with all grants, sessions and tokens."""
    remove_user(id)
    return json_response(done())


# -- grants --------------------------------------------------------------------------------


@bp.get("/api/users/<int:id>/grants")
@needs("user.manage")
@describes(answer=list[GrantRow], errors=(404,))
def grants(id: int) -> Response:
    """List a user's grants."""
    accounts = current_monitor().authenticator.accounts
    return json_response(
        [
            grant_row(grant, current_monitor().redirects)
            for grant in accounts.snapshot.grants_of(accounts.user(id).id)
        ]
    )


@bp.post("/api/users/<int:id>/grants")
@needs("user.manage")
@describes(body=NewGrant, answer=GrantRow, errors=(404, 409, 422), status=201)
def grant(id: int) -> Response:
    """Grant access to a camera, a site or a store, in addition to the role."""
    return json_response(
        grant_row(add_grant(id, json_body(NewGrant)), current_monitor().redirects), 201
    )


@bp.delete("/api/users/<int:id>/grants/<int:number>")
@needs("user.manage")
@describes(answer=Done, errors=(404,))
def take_back(id: int, number: int) -> Response:
    """Remove a grant. The change takes effect within a second."""
    remove_grant(id, number)
    return json_response(done())


@bp.delete("/api/users/<int:id>/tokens/<int:number>")
@needs("user.manage")
@describes(answer=Done, errors=(404,))
def revoke(id: int, number: int) -> Response:
    """Revoke a user's token."""
    revoke_user_token(id, number)
    return json_response(done())


def _row(user: User) -> UserRow:
    return user_row(
        user, current_monitor().authenticator.accounts.snapshot, current_monitor().redirects
    )
