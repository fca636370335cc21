# The organization and its service control policies: what no member account may do, whatever its own rules say.

resource "aws_organizations_organization" "main" {
  feature_set                   = "ALL"
  enabled_policy_types          = ["SERVICE_CONTROL_POLICY"]
  aws_service_access_principals = ["cloudtrail.amazonaws.com", "sso.amazonaws.com"]

  # It holds every account.
  lifecycle {
    prevent_destroy = true
  }
}

data "aws_iam_policy_document" "guardrails" {
  statement {
    sid       = "StayInTheOrganization"
    effect    = "Deny"
    actions   = ["organizations:LeaveOrganization"]
    resources = ["*"]
  }

  statement {
    sid    = "KeepTheAuditTrail"
    effect = "Deny"
    actions = [
      "cloudtrail:DeleteTrail",
      "cloudtrail:PutEventSelectors",
      "cloudtrail:StopLogging",
      "cloudtrail:UpdateTrail",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "NoRootUser"
    effect    = "Deny"
    actions   = ["*"]
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::*:root"]
    }
  }
}

data "aws_iam_policy_document" "regions" {
  statement {
    sid    = "OnlyAllowedRegions"
    effect = "Deny"

    # Global services, which answer from us-east-1 whatever the caller's region.
    not_actions = [
      "budgets:*",
      "ce:*",
      "cloudfront:*",
      "globalaccelerator:*",
      "health:*",
      "iam:*",
      "organizations:*",
      "route53:*",
      "shield:*",
      "sts:*",
      "support:*",
      "waf:*",
    ]
    resources = ["*"]

    condition {
      test     = "StringNotEquals"
      variable = "aws:RequestedRegion"
      values   = var.allowed_regions
    }
  }
}

resource "aws_organizations_policy" "guardrails" {
  name        = "docustack-guardrails"
  description = "Nobody leaves the organization, stops the audit trail, or works as root"
  type        = "SERVICE_CONTROL_POLICY"
  content     = data.aws_iam_policy_document.guardrails.json

  depends_on = [aws_organizations_organization.main]
}

resource "aws_organizations_policy" "regions" {
  name        = "docustack-regions"
  description = "Work only in ${join(", ", var.allowed_regions)}"
  type        = "SERVICE_CONTROL_POLICY"
  content     = data.aws_iam_policy_document.regions.json

  depends_on = [aws_organizations_organization.main]
}

resource "aws_organizations_policy_attachment" "root" {
  for_each = {
    guardrails = aws_organizations_policy.guardrails.id
    regions    = aws_organizations_policy.regions.id
  }

  policy_id = each.value
  target_id = aws_organizations_organization.main.roots[0].id
}
