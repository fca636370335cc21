# The management account of the organization: rules and records for all the others, no workloads.

locals {
  environment = "management"
  account_id  = "444444444444"

  organization = {
    # Regions in which the member accounts may work.
    allowed_regions = ["us-east-1"]
  }

  cloudtrail = {
    retention_days = 365
  }
}
