"""Login, tokens, profile, password and logout by API."""

from flask import Blueprint, Response, g, request

from accounts.jwt_tokens import ACCESS_LIFETIME
from accounts.model import (
    Person,
)
from web.http.actions.sessions import (
    authenticate,
    change_password,
    end_session,
    own_user,
    start_session,
)
from web.http.actions.tokens import create_token, revoke_own_token, tokens_of
from web.http.authorization import needs, public
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_body, json_response
from web.http.shapes.accounts import (
    Done,
    JwtPair,
    Login,
    NewToken,
    Password,
    Profile,
    TokenMade,
    TokenRow,
    Welcome,
    grant_row,
    token_row,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("auth", __name__)


@bp.post("/api/auth/login")
@public
@describes(body=Login, answer=Welcome, errors=(401, 429))
def login() -> Response:
    """Log in. The access token is for the Authorization header, as Bearer."""
    given = json_body(Login)
    user = authenticate(given.username, given.password)
    session, _secret = start_session(user, "script")
    jwt_tokens = current_monitor().authenticator.jwt_tokens
    return json_response(
        {
            **_token_pair(session.digest),
            "refresh_token": jwt_tokens.write("refresh", session.digest, session.ends),
            "user": {"id": user.id, "username": user.name, "role": user.role},
        }
    )


def _token_pair(session: str) -> JwtPair:
    return {
        "access_token": current_monitor().authenticator.jwt_tokens.access(session),
        "token_type": "bearer",  # nosec B105 (no secret)
        "expires_in": int(ACCESS_LIFETIME.total_seconds()),
    }


@bp.post("/api/auth/refresh")
@public
@describes(answer=JwtPair, errors=(401, 422), security=("refresh",))
def refresh() -> Response:
    """Get a new access token. The refresh token comes in the Authorization header, as Bearer."""
    authenticator = current_monitor().authenticator
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    session = (
        authenticator.jwt_tokens.read("refresh", text.strip()) if kind.lower() == "bearer" else None
    )
    if session is None or authenticator.accounts.by_digest(session) is None:
        raise HttpError(401, "The refresh token does not count any more", "Log in again.")
    return json_response(_token_pair(session))


@bp.get("/api/auth/profile")
@needs("account.view")
@describes(answer=Profile)
def profile() -> Response:
    """The person of this request, and what they can do."""
    person: Person = g.person
    return json_response(
        {
            "id": person.user,
            "username": person.name,
            "role": person.role,
            "all_cameras": person.sees_all,
            "grants": [
                grant_row(grant, current_monitor().redirects)
                for grant in visible_fleet().person.grants
            ],
        }
    )


@bp.post("/api/auth/logout")
@needs("account.view")
@describes(answer=Done)
def logout() -> Response:
    """End this session, with its tokens and open streams."""
    response = json_response({"success": True})
    end_session(response)
    return response


@bp.post("/api/auth/password")
@needs("account.change")
@describes(body=Password, answer=Done, errors=(403, 409, 422, 429))
def password() -> Response:
    """Change your password. Your other sessions, tokens and streams end."""
    given = json_body(Password)
    change_password(own_user(), given.current, given.password)
    return json_response({"success": True})


# -- tokens --------------------------------------------------------------------------------


@bp.get("/api/tokens")
@needs("account.change")
@describes(answer=list[TokenRow], errors=(409,))
def tokens() -> Response:
    """Your tokens."""
    return json_response(
        [token_row(token, current_monitor().redirects) for token in tokens_of(own_user().id)]
    )


@bp.post("/api/tokens")
@needs("account.change")
@describes(body=NewToken, answer=TokenMade, errors=(404, 409, 422), status=201)
def make_token() -> Response:
    """Make a token for a script. Its text is shown only once."""
    given = json_body(NewToken)
    token, text = create_token(own_user(), given)
    return json_response({**token_row(token, current_monitor().redirects), "token": text}, 201)


@bp.delete("/api/tokens/<int:id>")
@needs("account.change")
@describes(answer=Done, errors=(404, 409))
def revoke_token(id: int) -> Response:
    """Delete one of your tokens."""
    revoke_own_token(own_user(), id)
    return json_response({"success": True})
