"""Login, tokens, profile, password and logout by API."""

from flask import Blueprint, Response, g, request

from accounts.jwt_tokens import ACCESS_LIFETIME
from accounts.model import Person
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
    LoginAnswer,
    NewToken,
    Password,
    Profile,
    TokenMade,
    TokenRow,
    done,
    jwt_pair,
    login_answer,
    new_token,
    profile_row,
    token_row,
)
from web.http.visible_fleet import visible_fleet

bp = Blueprint("auth", __name__)


@bp.post("/api/auth/login")
@public
@describes(body=Login, answer=LoginAnswer, errors=(401, 429))
def login() -> Response:
    """Log in. Send the access token as Bearer in the Authorization header."""
    given = json_body(Login)
    user = authenticate(given.username, given.password)
    session, _secret = start_session(user, "script")
    jwt_tokens = current_monitor().authenticator.jwt_tokens
    refresh_token = jwt_tokens.write("refresh", session.digest, session.ends)
    return json_response(login_answer(_token_pair(session.digest), refresh_token, user))


def _token_pair(session: str) -> JwtPair:
    access_token = current_monitor().authenticator.jwt_tokens.access(session)
    return jwt_pair(access_token, ACCESS_LIFETIME.total_seconds())


@bp.post("/api/auth/refresh")
@public
@describes(answer=JwtPair, errors=(401, 422), security=("refresh",))
def refresh() -> Response:
    """Get a new access token. Send the refresh token as Bearer in the Authorization header."""
    authenticator = current_monitor().authenticator
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    session = (
        authenticator.jwt_tokens.read("refresh", text.strip()) if kind.lower() == "bearer" else None
    )
    if session is None or authenticator.accounts.by_digest(session) is None:
        raise HttpError(401, "The refresh token is no longer valid", "Log in again.")
    return json_response(_token_pair(session))


@bp.get("/api/auth/profile")
@needs("account.view")
@describes(answer=Profile)
def profile() -> Response:
    """Get your account and its permissions."""
    person: Person = g.person
    grants = visible_fleet().person.grants
    return json_response(profile_row(person, grants, current_monitor().redirects))


@bp.post("/api/auth/logout")
@needs("account.view")
@describes(answer=Done)
def logout() -> Response:
    """Log out. This session, its tokens and its event streams end."""
    response = json_response(done())
    end_session(response)
    return response


@bp.post("/api/auth/password")
@needs("account.change")
@describes(body=Password, answer=Done, errors=(403, 409, 422, 429))
def password() -> Response:
    """Change your password. Your other sessions, tokens and streams end."""
    given = json_body(Password)
    change_password(own_user(), given.current, given.password)
    return json_response(done())


# -- tokens --------------------------------------------------------------------------------


@bp.get("/api/tokens")
@needs("account.change")
@describes(answer=list[TokenRow], errors=(409,))
def tokens() -> Response:
    """List your tokens."""
    return json_response(
        [token_row(token, current_monitor().redirects) for token in tokens_of(own_user().id)]
    )


@bp.post("/api/tokens")
@needs("account.change")
@describes(body=NewToken, answer=TokenMade, errors=(404, 409, 422), status=201)
def make_token() -> Response:
    """Create a token for a script. The token itself is shown only once."""
    given = json_body(NewToken)
    token, text = create_token(own_user(), given)
    return json_response(new_token(token, text, current_monitor().redirects), 201)


@bp.delete("/api/tokens/<int:id>")
@needs("account.change")
@describes(answer=Done, errors=(404, 409))
def revoke_token(id: int) -> Response:
    """Revoke one of your tokens."""
    revoke_own_token(own_user(), id)
    return json_response(done())
